package main

import (
	"bufio"
	"context"
	"os"
	"runtime"
	"strings"

	"github.com/ackbus/ackbus/internal/redistest"
)

// A machine is where figures come from.
type machine struct {
	System    string `json:"system"`
	Processor string `json:"processor,omitempty"`
	Cores     int    `json:"cores"`
	Go        string `json:"go"`
	Redis     string `json:"redis"`
}

func describeMachine(ctx context.Context, server *redistest.Server) (machine, error) {
	m := machine{System: runtime.GOOS + "/" + runtime.GOARCH, Processor: processorName(), Cores: runtime.NumCPU(), Go: runtime.Version()}
	client := server.Client()
	defer client.Close()
	text, err := client.Info(ctx, "server").Result()
	for line := range strings.Lines(text) {
		if version, found := strings.CutPrefix(strings.TrimSpace(line), "redis_version:"); found {
			m.Redis = version
		}
	}
	return m, err
}

// processorName is what Linux says of the first one.
func processorName() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, _ := strings.Cut(lines.Text(), ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
