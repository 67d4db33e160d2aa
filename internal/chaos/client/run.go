package client

import (
	"context"
	"sync"

	"github.com/ackbus/ackbus/internal/chaos/history"
	"github.com/ackbus/ackbus/internal/run"
)

// Actor is the name of the process in histories.
const Actor = "clients"

// Run lets the clients live until ctx ends. It calls ready once each of them has been welcomed.
func Run(ctx context.Context, s *Settings, ready func()) error {
	log, err := history.Create(s.Dir, s.Name)
	if err != nil {
		return err
	}
	life := run.New(ctx)
	life.Go(func() { log.Watch(life.Context(), Actor) })
	var mu sync.Mutex
	all := s.clients(log)
	missing := len(all)
	for _, c := range all {
		c.welcome = sync.OnceFunc(func() {
			mu.Lock()
			defer mu.Unlock()
			if missing--; missing == 0 {
				ready()
			}
		})
		life.Go(func() { c.live(life.Context()) })
	}
	<-ctx.Done()
	life.Stop()
	life.Wait()
	return log.Close()
}
