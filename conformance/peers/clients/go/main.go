// Test program on franz-go.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

func main() {
	if len(os.Args) < 2 || os.Args[1] == "--help" {
		fmt.Fprintln(os.Stderr, "usage: produce|consume|admin ... (see conformance/peers/README.md)")
		if len(os.Args) < 2 {
			os.Exit(2)
		}
		return
	}
	opts, err := parse(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "client:", err)
		os.Exit(2)
	}
	stop, _ := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	code := 2
	switch opts.command {
	case "produce":
		code = produce(stop, opts)
	case "consume":
		code = consume(stop, opts)
	case "admin":
		code = administer(opts)
	default:
		fmt.Fprintln(os.Stderr, "client: no command", opts.command)
	}
	flush()
	os.Exit(code)
}

// library is the client's name and version.
func library() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, one := range info.Deps {
			if one.Path == "github.com/twmb/franz-go" {
				return "franz-go " + one.Version
			}
		}
	}
	return "franz-go"
}
