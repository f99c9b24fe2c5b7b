// Package steps is what the commands share that carry the streams of a step.
package steps

import (
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/runink/rink/api/rinkpb"
)

// Printer writes the tasks' output, with each line labelled by its task when
// that was asked for: then lines are written whole.
type Printer struct {
	mu       sync.Mutex // guards all
	out, err io.Writer
	label    bool
	width    int
	first    int32
	partial  map[[2]int32][]byte
}

// NewPrinter returns one for a step of so many tasks.
func NewPrinter(out, err io.Writer, label bool, tasks int) *Printer {
	return &Printer{out: out, err: err, label: label, width: len(fmt.Sprint(max(tasks-1, 0))), partial: map[[2]int32][]byte{}}
}

// From has the tasks' labels begin with a number, and returns the printer.
func (p *Printer) From(first int) *Printer {
	p.first = int32(first)
	return p
}

// Write writes what a task wrote.
func (p *Printer) Write(o *rinkpb.TaskOutput) {
	p.mu.Lock()
	defer p.mu.Unlock()
	to := p.out
	if o.Stream == 2 {
		to = p.err
	}
	if !p.label {
		to.Write(o.Data)
		return
	}
	key := [2]int32{o.Rank, o.Stream}
	data := append(p.partial[key], o.Data...)
	for {
		i := strings.IndexByte(string(data), '\n')
		if i < 0 {
			break
		}
		fmt.Fprintf(to, "%*d: %s", p.width, o.Rank+p.first, data[:i+1])
		data = data[i+1:]
	}
	p.partial[key] = append([]byte(nil), data...)
	if o.Eof {
		p.rest(key)
	}
}

// Label is what the lines of a task begin with.
func (p *Printer) Label(rank int32) string { return fmt.Sprintf("%*d: ", p.width, rank+p.first) }

// rest writes the last line of a stream that did not end with a newline. Needs
// p.mu held.
func (p *Printer) rest(key [2]int32) {
	data := p.partial[key]
	delete(p.partial, key)
	if len(data) == 0 {
		return
	}
	to := p.out
	if key[1] == 2 {
		to = p.err
	}
	fmt.Fprintf(to, "%*d: %s\n", p.width, key[0]+p.first, data)
}

// Flush forgets the streams of which nothing is left to write.
func (p *Printer) Flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key := range p.partial {
		if len(p.partial[key]) == 0 {
			delete(p.partial, key)
		}
	}
}
