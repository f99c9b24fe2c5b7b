package cmds_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// rest asks a rinkrestd that listens at $REST, a socket's path or HOST:PORT, and prints the
// status of the answer and the answer:
//
//	rest METHOD PATH [DOCUMENT]
//
// With $REST_TOKEN set the token goes along, or the one in @FILE, with $REST_USER a user's name, and what $REST_TAKES
// names is what is taken. "! rest" wants a status that is not 200. It is tried again as long as
// nobody listens.
func rest(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: rest method path [document]")
	}
	at := ts.Getenv("REST")
	network := "unix"
	if !strings.HasPrefix(at, "/") {
		network = "tcp"
	}
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, at)
		},
		DisableKeepAlives: true,
	}}
	var body io.Reader
	if len(args) == 3 {
		body = strings.NewReader(args[2])
	}
	req, err := http.NewRequest(args[0], "http://localhost"+args[1], body)
	ts.Check(err)
	for header, variable := range map[string]string{"X-SLURM-USER-TOKEN": "REST_TOKEN", "X-SLURM-USER-NAME": "REST_USER", "Accept": "REST_TAKES"} {
		v := ts.Getenv(variable)
		if file, ok := strings.CutPrefix(v, "@"); ok {
			v = strings.TrimPrefix(strings.TrimSpace(ts.ReadFile(file)), "SLURM_JWT=")
		}
		if v != "" {
			req.Header.Set(header, v)
		}
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	var answer *http.Response
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if answer, err = client.Do(req); err == nil || body != nil || time.Now().After(end) {
			break
		}
	}
	ts.Check(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "HTTP %d\n%s", answer.StatusCode, text)
	if ok := answer.StatusCode == http.StatusOK; ok == neg {
		ts.Fatalf("%s %s: status %d\n%s", args[0], args[1], answer.StatusCode, text)
	}
}
