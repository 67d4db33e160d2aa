package role

import (
	"errors"
	"os"
	"runtime"
	"runtime/pprof"
)

// Profiles are the files that each process writes its profiles to, with its own name behind; empty: none.
type Profiles struct {
	CPU         string `json:"cpu,omitempty"`
	Allocations string `json:"allocations,omitempty"`
	Mutex       string `json:"mutex,omitempty"`
}

// Of gives the files of one process.
func (p Profiles) Of(process string) Profiles {
	for _, file := range []*string{&p.CPU, &p.Allocations, &p.Mutex} {
		if *file != "" {
			*file += "." + process
		}
	}
	return p
}

// start begins profiling. The function that it returns ends it and writes the files.
func (p Profiles) start() (stop func() error, err error) {
	if p.Allocations != "" {
		runtime.MemProfileRate = 4096
	}
	if p.Mutex != "" {
		runtime.SetMutexProfileFraction(10)
	}
	var cpu *os.File
	if p.CPU != "" {
		if cpu, err = os.Create(p.CPU); err != nil {
			return nil, err
		}
		if err := pprof.StartCPUProfile(cpu); err != nil {
			return nil, errors.Join(err, cpu.Close())
		}
	}
	return func() error {
		var err error
		if cpu != nil {
			pprof.StopCPUProfile()
			err = cpu.Close()
		}
		return errors.Join(err, writeProfile("allocs", p.Allocations), writeProfile("mutex", p.Mutex))
	}, nil
}

func writeProfile(name, file string) error {
	if file == "" {
		return nil
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	return errors.Join(pprof.Lookup(name).WriteTo(f, 0), f.Close())
}
