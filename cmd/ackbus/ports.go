package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
)

// ports are the listeners of a node; tcp and admin are nil where they are off.
type ports struct{ http, tcp, admin net.Listener }

// listenAll takes every port before the node joins the bus: a port that is taken shows at once.
func listenAll(ctx context.Context, o *nodeOptions) (*ports, error) {
	p := new(ports)
	var errs []error
	for _, one := range []struct {
		flag, address string
		to            *net.Listener
	}{{"listen", o.listen, &p.http}, {"tcp", o.tcp, &p.tcp}, {"admin", o.admin, &p.admin}} {
		if one.address == off {
			continue
		}
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", one.address)
		if err != nil {
			errs = append(errs, fmt.Errorf("--%s: %w", one.flag, err))
			continue
		}
		*one.to = l
	}
	if err := errors.Join(errs...); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *ports) close() {
	for _, l := range []net.Listener{p.http, p.tcp, p.admin} {
		if l != nil {
			_ = l.Close() // nobody was served yet
		}
	}
}

func (p *ports) urls() nodeURLs {
	u := nodeURLs{http: "http://" + p.http.Addr().String(), websocket: "ws://" + p.http.Addr().String() + "/ws"}
	if p.tcp != nil {
		u.tcp = "tcp://" + p.tcp.Addr().String()
	}
	if p.admin != nil {
		u.admin = "http://" + p.admin.Addr().String()
	}
	u.page = cmp.Or(u.admin, u.http) + "/"
	return u
}
