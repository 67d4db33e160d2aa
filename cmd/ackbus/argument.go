package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/ackbus/ackbus/api"
	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/plain"
)

// maxArgument is how much is read of a file or of standard input: more than any body may have.
const maxArgument = 64 << 20

const messageHelp = `TO is user:42, group:news, socket:ID, node:NAME, topic:NAME or all.
DATA is JSON, @FILE for the content of a file, or - for standard input. Without it the message has no data.`

// dataArgument reads the data of a message from the arguments from the third on.
func dataArgument(args []string, in io.Reader) (bus.Body, error) {
	if len(args) < 3 {
		return bus.Body{}, nil
	}
	return readData(args[2], in)
}

// readData reads one argument that is data.
func readData(arg string, in io.Reader) (bus.Body, error) {
	raw, err := argumentBytes(arg, in)
	if err != nil {
		return bus.Body{}, usageError("data: %w", err)
	}
	body, err := api.ParseData(raw)
	if err != nil {
		return bus.Body{}, usageError("data: %w%s", plain.Error(err), quotingHint(string(raw)))
	}
	if n := len(body.Raw()); n > api.DefaultMaxData {
		return bus.Body{}, usageError("data: has %d bytes; %d are allowed", n, api.DefaultMaxData)
	}
	return body, nil
}

func argumentBytes(arg string, in io.Reader) ([]byte, error) {
	name, isFile := strings.CutPrefix(arg, "@")
	switch {
	case arg == "-":
		return readAtMost(in)
	case isFile:
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }() // it was only read
		return readAtMost(f)
	}
	return []byte(arg), nil
}

func readAtMost(r io.Reader) ([]byte, error) {
	p, err := io.ReadAll(io.LimitReader(r, maxArgument+1))
	if err == nil && len(p) > maxArgument {
		err = fmt.Errorf("more than %d bytes", maxArgument)
	}
	return p, err
}

// quotingHint shows how a word becomes JSON in a shell.
func quotingHint(word string) string {
	if word == "" || len(word) > 40 || strings.ContainsAny(word, "{[\"'\n") {
		return ""
	}
	return `; text needs quotes of its own: '"` + word + `"'`
}
