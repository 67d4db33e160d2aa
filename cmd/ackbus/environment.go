package main

import (
	"strings"

	"github.com/spf13/pflag"
)

// A lookup finds an environment variable, as os.LookupEnv does.
type lookup func(name string) (value string, found bool)

// variable is the environment variable of a flag.
func variable(flag string) string {
	return "ACKBUS_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// fillFlags sets the flags that were not given from the environment. An empty variable counts as not set; one for a flag that
// may be repeated is a list with commas.
func fillFlags(flags *pflag.FlagSet, env lookup) error {
	var failed error
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Name == "help" || failed != nil {
			return
		}
		name := variable(f.Name)
		value, found := env(name)
		if !found || value == "" {
			return
		}
		if err := setFlag(f, value); err != nil {
			failed = usageError("%s: bad value %q: %w", name, value, err)
			return
		}
		f.Changed = true
	})
	return failed
}

func setFlag(f *pflag.Flag, value string) error {
	list, repeated := f.Value.(pflag.SliceValue)
	if !repeated {
		return f.Value.Set(value)
	}
	parts := strings.Split(value, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return list.Replace(parts)
}
