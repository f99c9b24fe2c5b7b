package sacctmgr

import (
	"fmt"
	"time"
	"unicode"
)

// patience is how long a question waits for its answer.
const patience = 30 * time.Second

// commit asks whether to make the changes; false when they are discarded, which
// is said.
func (c *call) commit() bool {
	if c.sure("Would you like to commit changes?") {
		return true
	}
	c.print(" Changes Discarded\n")
	return false
}

// sure asks a question; without an answer in time, and at the end of what is
// typed, it is no.
func (c *call) sure(question string) bool {
	if c.o.immediate {
		return true
	}
	c.print("%s (You have 30 seconds to decide)\n(N/y): ", question)
	if c.flush() != nil {
		return false // nobody can be asked
	}
	late := time.After(patience)
	for {
		// Reading cannot be called off; a question that nobody answers ends the
		// command, and the goroutine with it.
		typed := make(chan rune, 1)
		go func() {
			r, _, err := c.in.ReadRune()
			if err != nil {
				r = 0
			}
			typed <- r
		}()
		var r rune
		select {
		case r = <-typed:
		case <-late:
			c.print("timeout\n")
			c.over = true
			return false
		}
		c.print("\n")
		switch unicode.ToLower(r) {
		case 'y':
			c.restOfLine()
			return true
		case 'n':
			c.restOfLine()
			return false
		case 0, '\n':
			return false
		}
		c.print("Y or N please\n(N/y): ")
		if c.flush() != nil {
			return false
		}
	}
}

// restOfLine drops what stands behind an answer.
func (c *call) restOfLine() {
	for c.in.Buffered() > 0 {
		if r, _, err := c.in.ReadRune(); err != nil || r == '\n' {
			return
		}
	}
}

// warn says on stderr what does not stop the command.
func (c *call) warn(format string, args ...any) { fmt.Fprintf(c.env.Stderr, format+"\n", args...) }
