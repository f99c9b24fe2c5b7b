package rinkrestd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/slurm"
)

// request is one request and its answer.
type request struct {
	s       *server
	w       http.ResponseWriter
	r       *http.Request
	who     asker
	part    string
	version string // of the data parser
	yaml    bool
	query   url.Values
}

// ServeHTTP implements http.Handler.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	seen := &watched{ResponseWriter: w, status: http.StatusOK}
	if path := strings.TrimRight(r.URL.Path, "/"); path != r.URL.Path {
		r.URL.Path, r.URL.RawPath = path, ""
	}
	s.mux.ServeHTTP(seen, r)
	if s.verbose {
		s.log.Info("request", "from", r.RemoteAddr, "method", r.Method, "path", r.URL.Path, "status", seen.status, "took", time.Since(began))
	}
}

// watched remembers the status of an answer.
type watched struct {
	http.ResponseWriter
	status int
}

func (w *watched) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// handler is what a route does with a request that it was found out who makes it, and how
// it is to be answered.
func (s *server) handler(rt *route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q := &request{s: s, w: w, r: r, part: rt.part, version: r.PathValue("version"), query: r.URL.Query()}
		if q.version != "" && !slices.Contains(s.parsers, q.version) {
			http.Error(w, "Unable to find requested URL", http.StatusNotFound)
			return
		}
		who, err := s.who(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		q.who = who
		q.who.via.PluginType, q.who.via.PluginName = "openapi/"+rt.part, "Slurm OpenAPI "+rt.part
		var ok bool
		if q.yaml, ok = wantsYAML(r.Header.Values("Accept")); !ok {
			http.Error(w, "Not acceptable: answers are application/json or application/x-yaml", http.StatusNotAcceptable)
			return
		}
		for name := range q.query {
			if !slices.ContainsFunc(rt.query, func(p param) bool { return p.name == name }) {
				q.fail(http.StatusUnprocessableEntity, problem{Error: "Invalid query", Description: fmt.Sprintf("Rejecting query: unknown parameter %q", name), Number: errInvalidQuery, Source: name})
				return
			}
		}
		rt.do(q)
	}
}

// wantsYAML reads what a client takes; ok is false when it takes neither.
func wantsYAML(accept []string) (yaml, ok bool) {
	list := strings.Split(strings.Join(accept, ","), ",")
	none := true
	for _, one := range list {
		if one = strings.TrimSpace(one); one == "" {
			continue
		}
		none = false
		kind, _, err := mime.ParseMediaType(one)
		if err != nil {
			continue
		}
		switch kind {
		case "application/json", "application/*", "*/*", "text/*", "application/jsonrequest", "text/plain":
			return false, true
		case "application/x-yaml", "application/yaml", "text/yaml":
			return true, true
		}
	}
	return false, none
}

// Slurm's numbers of errors that are the interface's own.
const (
	errInvalidQuery = 9202
	errParsing      = 9203
	errUnknown      = -1
)

// problem is one entry of an answer's errors or warnings.
type problem struct {
	Description string
	Number      int
	Error       string
	Source      string
}

func (p problem) data() show.Object {
	return show.Object{{Key: "description", Value: p.Description}, {Key: "error_number", Value: p.Number}, {Key: "error", Value: p.Error}, {Key: "source", Value: p.Source}}
}

// view prints documents as this request wants them.
func (q *request) view() (*show.View, *cli.Env) {
	env := q.env("rinkrestd")
	option := "json"
	if q.yaml {
		option = "yaml"
	}
	v := &show.View{Now: q.s.now()}
	if _, path, ok := strings.Cut(q.s.vars[0], "="); ok {
		if cluster, _, err := cli.Locate(path); err == nil {
			v.Cluster = cluster
		}
	}
	version := q.version
	if version == "" {
		version = q.s.parsers[len(q.s.parsers)-1]
	}
	v.Encoding, _ = show.ParseEncoding(option, version) // which is one of those there are
	return v, env
}

// answer sends a document.
func (q *request) answer(status int, doc show.Object, warnings ...problem) {
	q.send(status, doc, nil, warnings)
}

// fail sends what went wrong.
func (q *request) fail(status int, problems ...problem) { q.send(status, nil, problems, nil) }

func (q *request) send(status int, doc show.Object, problems, warnings []problem) {
	v, env := q.view()
	var out bytes.Buffer
	env.Stdout = &out
	list := func(of []problem) (data []any) {
		for _, p := range of {
			data = append(data, p.data())
		}
		return data
	}
	if err := v.DataTold(env, doc, list(problems), list(warnings)); err != nil {
		http.Error(q.w, err.Error(), http.StatusInternalServerError)
		return
	}
	q.put(status, out.Bytes())
}

func (q *request) put(status int, body []byte) {
	kind := "application/json"
	if q.yaml {
		kind = "application/x-yaml"
	}
	q.w.Header().Set("Content-Type", kind)
	q.w.WriteHeader(status)
	q.w.Write(body) // a client that has gone is not told
}

// env is the call of a command for this request.
func (q *request) env(name string, args ...string) *cli.Env {
	env := &cli.Env{
		Name: name, Args: args, Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: io.Discard,
		Vars: slices.Clone(q.s.vars), Now: q.s.now, Ctx: q.r.Context(), Via: &q.who.via,
	}
	if q.who.token != "" {
		env.Vars = append(env.Vars, "SLURM_JWT="+q.who.token)
	}
	return env
}

// told is what a command made of a request.
type told struct {
	code     int
	out, err string
}

// command runs a command in the name of who asks.
func (q *request) command(run func(*cli.Env) int, name string, args ...string) told {
	var out, errs bytes.Buffer
	env := q.env(name, args...)
	env.Stdout, env.Stderr = &out, &errs
	code := run(env)
	return told{code, out.String(), errs.String()}
}

// encoding is the option by which a command prints what this request wants.
func (q *request) encoding() string {
	if q.yaml {
		return "--yaml=" + q.version
	}
	return "--json=" + q.version
}

// show answers with the document that a command prints.
func (q *request) show(run func(*cli.Env) int, name string, args ...string) {
	t := q.command(run, name, append(slices.Clip(args), q.encoding())...)
	if t.code != 0 || t.out == "" {
		q.refused(t)
		return
	}
	q.put(http.StatusOK, []byte(t.out))
}

// do has a command change something, and answers with a document of what is given, or with
// what the command refused it for.
func (q *request) do(doc show.Object, run func(*cli.Env) int, name string, args ...string) {
	t := q.command(run, name, args...)
	if t.code != 0 {
		q.refused(t)
		return
	}
	q.answer(http.StatusOK, doc, t.notes()...)
}

// notes are a command's words on stderr as warnings.
func (t told) notes() (list []problem) {
	for _, line := range lines(t.err) {
		list = append(list, problem{Description: line})
	}
	return list
}

// refused answers with what a command said was wrong.
func (q *request) refused(t told) {
	status := http.StatusInternalServerError
	var list []problem
	text := t.err
	if strings.TrimSpace(text) == "" {
		text = t.out
	}
	for _, line := range lines(text) {
		p := problemOf(line)
		if s := statusOf(slurm.Errno(p.Number)); s != 0 {
			status = s
		}
		list = append(list, p)
	}
	if len(list) == 0 {
		list = append(list, problem{Description: "Nothing found with query", Error: "Query empty or not RFC7320 compliant", Number: errInvalidQuery})
		status = http.StatusNotFound
	}
	q.fail(status, list...)
}

// failed answers with an error of this process or of the controller.
func (q *request) failed(err error) {
	p := problemOf(err.Error())
	status := statusOf(slurm.Errno(p.Number))
	if status == 0 {
		status = http.StatusInternalServerError
	}
	q.fail(status, p)
}

// problemOf reads a line that a command printed.
func problemOf(line string) problem {
	p := problem{Description: line, Number: errUnknown, Error: "Unspecified error"}
	if _, rest, ok := strings.Cut(line, ": error: "); ok {
		p.Description = rest
	}
	if e, ok := slurm.FindErrno(line); ok {
		p.Number, p.Error = int(e), e.Error()
	}
	return p
}

// statusOf is the HTTP status of an error; 0: there is none of its own.
func statusOf(e slurm.Errno) int {
	switch e {
	case slurm.ErrnoInvalidJobID, slurm.ErrnoInvalidNodeName, slurm.ErrnoInvalidPartition, slurm.ErrnoReservationInvalid:
		return http.StatusNotFound
	case slurm.ErrnoAccessDenied, slurm.ErrnoUserIDMissing:
		return http.StatusForbidden
	case slurm.ErrnoAuthCredInvalid, slurm.ErrnoProtocolAuthentication:
		return http.StatusUnauthorized
	}
	return 0
}

func lines(text string) (list []string) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			list = append(list, line)
		}
	}
	return list
}

// body reads the JSON document that came with a request into v; false: it was answered that
// there is none.
func (q *request) body(v any) bool {
	if kind, _, err := mime.ParseMediaType(q.r.Header.Get("Content-Type")); err == nil && strings.Contains(kind, "yaml") {
		q.fail(http.StatusUnsupportedMediaType, problem{Description: "requests are read as application/json", Error: "Unsupported media type", Number: errParsing})
		return false
	}
	data, err := io.ReadAll(http.MaxBytesReader(q.w, q.r.Body, maxBody))
	if err == nil {
		in := json.NewDecoder(bytes.NewReader(data))
		in.UseNumber()
		if err = in.Decode(v); err == nil && in.More() {
			err = fmt.Errorf("something follows the document")
		}
	}
	if err != nil {
		q.fail(http.StatusBadRequest, problem{Description: "cannot read the request: " + err.Error(), Error: "Unable to parse query", Number: errParsing})
		return false
	}
	return true
}
