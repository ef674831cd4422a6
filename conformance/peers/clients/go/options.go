package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// options is the command line that every test program here shares (README.md two folders up).
type options struct {
	command, what string
	given         map[string]string
	config        map[string]string
}

func parse(args []string) (options, error) {
	found := options{given: map[string]string{}, config: map[string]string{}}
	found.command, args = args[0], args[1:]
	if found.command == "admin" && len(args) > 0 {
		found.what, args = args[0], args[1:]
	}
	for len(args) > 0 {
		name, isOption := strings.CutPrefix(args[0], "--")
		switch {
		case !isOption:
			return found, fmt.Errorf("not an option: %s", args[0])
		case name == "assign":
			found.given[name] = "true"
			args = args[1:]
			continue
		case len(args) == 1:
			return found, fmt.Errorf("--%s wants a value", name)
		case name == "config":
			key, value, _ := strings.Cut(args[1], "=")
			found.config[key] = value
		default:
			found.given[name] = args[1]
		}
		args = args[2:]
	}
	return found, nil
}

func (o options) get(name, otherwise string) string {
	if value, ok := o.given[name]; ok {
		return value
	}
	return otherwise
}

func (o options) has(name string) bool { _, ok := o.given[name]; return ok }

func (o options) number(name string, otherwise int64) int64 {
	value, err := strconv.ParseInt(o.get(name, ""), 10, 64)
	if err != nil {
		return otherwise
	}
	return value
}

// numbers is a list, nil when it was not given.
func (o options) numbers(name string) []int32 {
	if !o.has(name) {
		return nil
	}
	var list []int32
	for _, part := range strings.Split(o.given[name], ",") {
		if one, err := strconv.ParseInt(part, 10, 32); err == nil {
			list = append(list, int32(one))
		}
	}
	return list
}

// connection is what every client needs.
func (o options) connection() ([]kgo.Opt, error) {
	opts := []kgo.Opt{kgo.SeedBrokers(strings.Split(o.get("bootstrap", ""), ",")...)}
	if file := o.get("tls-ca", ""); file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(text)
		opts = append(opts, kgo.DialTLSConfig(&tls.Config{RootCAs: pool}))
	}
	if o.has("sasl") {
		parts := strings.SplitN(o.given["sasl"], ":", 3)
		if len(parts) < 3 {
			return nil, fmt.Errorf("--sasl wants MECHANISM:USER:PASSWORD")
		}
		mechanism, err := mechanismOf(parts[0], parts[1], parts[2])
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.SASL(mechanism))
	}
	return opts, nil
}

func mechanismOf(name, user, password string) (sasl.Mechanism, error) {
	switch name {
	case "PLAIN":
		return plain.Auth{User: user, Pass: password}.AsMechanism(), nil
	case "SCRAM-SHA-256":
		return scram.Auth{User: user, Pass: password}.AsSha256Mechanism(), nil
	case "SCRAM-SHA-512":
		return scram.Auth{User: user, Pass: password}.AsSha512Mechanism(), nil
	case "OAUTHBEARER": // the password is the token
		return oauth.Auth{Token: password}.AsMechanism(), nil
	}
	return nil, fmt.Errorf("no mechanism %s", name)
}
