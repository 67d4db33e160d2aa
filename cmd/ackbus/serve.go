package main

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ackbus/ackbus/api"
	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/gateway"
)

// off turns a listener off.
const off = "off"

// A serve is the command of that name.
type serve struct {
	log      *logFlags
	bus      busFlags
	auth     authFlags
	limits   limitFlags
	listen   string
	tcp      string
	admin    string
	embedded string
	name     string
	insecure bool
	drain    time.Duration
	origins  []string
}

func newServe(log *logFlags) *cobra.Command {
	s := &serve{log: log}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run a node: the gateway for clients and the HTTP API for publishers",
		Long: `Run a node: the gateway for clients (WebSocket at /ws, and TCP) and the HTTP API for publishers.

Without --redis it starts an embedded Redis for development, which other nodes can join and which ends with it. SIGTERM drains: no new
sockets, acknowledgements in flight are awaited up to --drain, then it ends with 0; a second signal ends it at once. The page at /
shows the cluster live: by default http://127.0.0.1:7070/.`,
		Example: `  ackbus serve
  ackbus serve --redis redis://10.0.0.5:6379 --listen :7070 --tcp :7071 --auth jwt --jwt-public-key issuer.pem --api-key-file keys`,
		Args: cobra.NoArgs,
		RunE: running(s.run),
	}
	s.add(cmd.Flags())
	return cmd
}

func (s *serve) add(flags *pflag.FlagSet) {
	s.bus.add(flags, "", "; without it an embedded one is started, for development")
	flags.StringVar(&s.listen, "listen", "127.0.0.1:7070", "address of HTTP and WebSocket")
	flags.StringVar(&s.tcp, "tcp", "127.0.0.1:7071", "address of TCP clients, or "+off)
	flags.StringVar(&s.admin, "admin", off, "address of metrics, health, profiles and the live page, or "+off+
		": all but profiles stand at --listen")
	flags.StringVar(&s.embedded, "embedded", embeddedAddress, "address of the embedded Redis; the default gives way to any free port")
	parsed(flags, &s.name, "name", "string", "", "readable name of the node (default the host's name)", nodeName)
	flags.BoolVar(&s.insecure, "insecure", false, "listen beyond loopback although --auth is none")
	parsed(flags, &s.drain, "drain", "duration", "30s", "how long SIGTERM waits for acknowledgements in flight", between(0, time.Hour))
	flags.StringSliceVar(&s.origins, "allowed-origin", nil, "origin whose pages may connect and call, as in https://app.example "+
		"(repeatable)")
	s.auth.add(flags)
	s.limits.add(flags)
}

func (s *serve) run(cmd *cobra.Command, _ []string) error {
	if err := s.check(); err != nil {
		return err
	}
	authenticate, err := s.auth.authenticate()
	if err != nil {
		return err
	}
	keys, err := s.auth.apiKeys()
	if err != nil {
		return err
	}
	ctx, stop := signalled(cmd.Context())
	defer stop()
	log := s.log.logger(cmd.ErrOrStderr())
	if s.bus.redis == "" {
		redis, err := startEmbedded(s.embedded, !cmd.Flags().Changed("embedded"), log)
		if err != nil {
			return err
		}
		defer redis.Close()
		s.bus.redis = redis.URL()
	}
	s.warn(log, len(keys))
	n, err := startNode(ctx, s.nodeOptions(authenticate, keys, log))
	if err != nil {
		return err
	}
	return s.untilSignalled(ctx, n, log)
}

// untilSignalled lets the node work until the first signal, or until it can't any more.
func (s *serve) untilSignalled(ctx context.Context, n *node, log *slog.Logger) error {
	defer n.close()
	select {
	case err := <-n.failed:
		return err
	case <-ctx.Done():
	}
	log.Info("draining", "up_to", s.drain.String())
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.drain)
	defer cancel()
	if err := n.drain(limit); err != nil {
		log.Warn("drained in part: what is left is closed", "error", err)
	}
	log.Info("stopped")
	return nil
}

func (s *serve) check() error {
	for flag, address := range map[string]string{"listen": s.listen, "tcp": s.tcp, "admin": s.admin} {
		if address == off && flag != "listen" {
			continue
		}
		local, err := isLoopback(address)
		if err != nil {
			return usageError("--%s: %w", flag, err)
		}
		if !local && s.auth.mode == authNone && !s.insecure {
			return usageError("--%s %s is reachable from other machines, and --auth none lets everybody in as whom they say they are: "+
				"choose --auth jwt, or listen on 127.0.0.1, or say --insecure", flag, address)
		}
	}
	return nil
}

func (s *serve) warn(log *slog.Logger, keys int) {
	if local, err := isLoopback(s.listen); err == nil && !local && keys == 0 {
		log.Warn("the HTTP API is open to everybody who reaches it: give --api-key", "listen", s.listen)
	}
}

func (s *serve) nodeOptions(authenticate authenticate, keys []string, log *slog.Logger) *nodeOptions {
	o := &nodeOptions{
		bus:     s.bus,
		options: bus.Options{Name: s.name, Logger: log},
		listen:  s.listen, tcp: s.tcp, admin: s.admin,
		gateway: gateway.Options{Authenticate: authenticate, AllowedOrigins: s.origins, Logger: log},
		api:     api.Options{Keys: keys, AllowedOrigins: s.origins, Rate: s.limits.apiRate, Logger: log},
		log:     log,
	}
	if s.auth.mode == authJWT {
		o.gateway.Authorize = authorize
	}
	s.limits.apply(&o.gateway)
	if o.options.Name == "" {
		if host, err := os.Hostname(); err == nil {
			o.options.Name = host
		}
	}
	return o
}
