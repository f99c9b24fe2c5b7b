// Command gotest runs go test and tells what came of it: what failed in full,
// what was skipped with its reason, and at the end one line
//
//	N passed, N failed, N skipped
//
// Its arguments are those of go test. A test is counted once, by its leaves: a
// test with subtests counts as these, and as one more when it fails by itself.
// A package that does not build, or ends before its tests do, counts as a
// failed one. The exit status is 1 when anything failed.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program; its result is the exit status.
func run(args []string, stdout, stderr io.Writer) int {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintf(stderr, "gotest: cannot run go test: %v\n", err)
		return 1
	}
	c := newCount(stdout)
	readErr := c.read(out)
	waitErr := cmd.Wait()
	if readErr != nil {
		fmt.Fprintf(stderr, "gotest: cannot read what go test says: %v\n", readErr)
	}
	// go test also fails, with a bad flag or a pattern that names nothing,
	// without any test that does.
	var exit *exec.ExitError
	if waitErr != nil && c.failed == 0 {
		fmt.Fprintf(stderr, "gotest: go test: %v\n", waitErr)
		if !errors.As(waitErr, &exit) || c.passed+c.skipped == 0 {
			c.failed++
		}
	}
	c.summary()
	if c.failed > 0 || readErr != nil || waitErr != nil {
		return 1
	}
	return 0
}

// event is a line of go test -json.
type event struct {
	Action     string
	Package    string
	ImportPath string // of build-output and build-fail
	Test       string
	Output     string
	Elapsed    float64
}

// count folds events into what is printed.
type count struct {
	w                       io.Writer
	output                  map[key]*strings.Builder
	parents                 map[key]bool // tests that have subtests
	failedUnder             map[key]bool // tests and packages below which something failed
	passed, failed, skipped int
	skips                   []string
}

// key is a test of a package, or the package when test is "".
type key struct{ pkg, test string }

func newCount(w io.Writer) *count {
	return &count{w: w, output: map[key]*strings.Builder{}, parents: map[key]bool{}, failedUnder: map[key]bool{}}
}

func (c *count) read(r io.Reader) error {
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) == nil && e.Action != "" {
				c.add(e)
			} else {
				c.w.Write(line) // not an event: the go command's own words
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (c *count) add(e event) {
	k := key{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(c.w, e.Output)
	case "run":
		if i := strings.LastIndexByte(e.Test, '/'); i >= 0 {
			c.parents[key{e.Package, e.Test[:i]}] = true
		}
	case "output":
		if c.output[k] == nil {
			c.output[k] = new(strings.Builder)
		}
		c.output[k].WriteString(e.Output)
	case "pass":
		if e.Test == "" {
			c.end(e, "ok  ")
		} else if !c.parents[k] {
			c.passed++
		}
		delete(c.output, k)
	case "skip":
		if e.Test != "" && !c.parents[k] {
			c.skipped++
			c.skips = append(c.skips, fmt.Sprintf("%s.%s: %s", e.Package, e.Test, c.reason(k)))
		}
		delete(c.output, k)
	case "fail":
		c.fail(e, k)
	}
}

// fail counts a failed test or package and prints its output, unless what
// failed is below it and told already.
func (c *count) fail(e event, k key) {
	if !c.failedUnder[k] {
		c.failed++
		name := e.Package
		if e.Test != "" {
			name += "." + e.Test
		}
		fmt.Fprintf(c.w, "FAIL %s\n", name)
		if e.Test == "" { // whatever its tests printed before it died
			for o := range c.output {
				if o.pkg == e.Package && o.test != "" {
					c.print(o)
				}
			}
		}
	}
	c.print(k)
	for test := e.Test; test != ""; {
		test = test[:max(strings.LastIndexByte(test, '/'), 0)]
		c.failedUnder[key{e.Package, test}] = true
	}
	if e.Test == "" {
		c.end(e, "FAIL")
	}
}

func (c *count) print(k key) {
	if b := c.output[k]; b != nil {
		for line := range strings.Lines(b.String()) {
			if !frame(line) {
				fmt.Fprint(c.w, line)
			}
		}
	}
	delete(c.output, k)
}

// end prints one line for a package that is done.
func (c *count) end(e event, word string) {
	fmt.Fprintf(c.w, "%s %s (%.1f s)\n", word, e.Package, e.Elapsed)
}

// reason is what a skipped test said.
func (c *count) reason(k key) string {
	var said []string
	if b := c.output[k]; b != nil {
		for line := range strings.Lines(b.String()) {
			if !frame(line) && !strings.HasPrefix(strings.TrimSpace(line), "--- SKIP") {
				said = append(said, strings.TrimSpace(line))
			}
		}
	}
	if len(said) == 0 {
		return "no reason given"
	}
	return strings.Join(said, " ")
}

// frame reports whether a line only says that a test starts or goes on.
func frame(line string) bool {
	return strings.HasPrefix(line, "=== ")
}

func (c *count) summary() {
	slices.Sort(c.skips)
	for _, s := range c.skips {
		fmt.Fprintf(c.w, "skip %s\n", s)
	}
	fmt.Fprintf(c.w, "%d passed, %d failed, %d skipped\n", c.passed, c.failed, c.skipped)
}
