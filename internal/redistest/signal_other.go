//go:build !unix

package redistest

import (
	"errors"
	"syscall"
)

// There is no redis-server for these systems; this file lets the packages that import redistest build there.

func ownGroup() *syscall.SysProcAttr { return nil }

func (p *process) pause() error { return errors.ErrUnsupported }

func (p *process) resume() error { return errors.ErrUnsupported }
