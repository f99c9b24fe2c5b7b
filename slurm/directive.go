package slurm

import (
	"bytes"
	"fmt"
	"strings"
)

// MaxScriptSize is how long a batch script may be where SchedulerParameters does
// not say otherwise (max_script_size).
const MaxScriptSize = 4 << 20

// DirectiveKind says what a directive line of a script is written in.
type DirectiveKind uint8

const (
	// OptionDirective is a #SBATCH or #RINK line: options of sbatch.
	OptionDirective DirectiveKind = iota
	// StageDirective is a "#RINK stage" line: it describes a pipeline and holds
	// no options.
	StageDirective
	// PBSDirective and BSUBDirective are #PBS and #BSUB lines, whose options
	// are translated.
	PBSDirective
	BSUBDirective
	// HetDirective is a "#SBATCH hetjob" line: the options behind it belong to
	// the next component.
	HetDirective
)

// Directive is one line of a script that speaks to the scheduler.
type Directive struct {
	Line int // from 1
	Kind DirectiveKind
	// Args are the words of the line, without the marker and for a stage
	// without the word stage. Nil for foreign lines, which are read only if
	// they are not ignored.
	Args []string
	// Text is what stands behind the marker, without the line end.
	Text string
}

// Script is a batch script as sbatch reads it.
type Script struct {
	Name       string // as it was named, for messages
	Directives []Directive
	// Notices are remarks about the script that sbatch prints.
	Notices []Notice
}

// HasStages reports whether the script describes a pipeline.
func (s *Script) HasStages() bool {
	for _, d := range s.Directives {
		if d.Kind == StageDirective {
			return true
		}
	}
	return false
}

// CheckScript refuses what cannot be a batch script: an empty one, one without
// an interpreter on the first line, with DOS line ends or with NUL bytes. The
// error is an *OptionError with Slurm's words, or ErrnoPathnameTooLong, which
// is what Slurm's controller answers to a script that is too long.
func CheckScript(program string, script []byte) error {
	fail := func(lines ...string) error {
		e := &OptionError{Exit: 1}
		for _, l := range lines {
			e.Lines = append(e.Lines, program+": error: "+l)
		}
		return e
	}
	switch {
	case len(script) == 0:
		return fail("Batch script is empty!")
	case len(bytes.TrimSpace(script)) == 0:
		return fail("Batch script contains only whitespace!")
	case !bytes.HasPrefix(script, []byte("#!")):
		return fail("This does not look like a batch script.  The first",
			"line must start with #! followed by the path to an interpreter.",
			"For instance: #!/bin/sh")
	case bytes.IndexByte(script, 0) >= 0:
		return fail("The Slurm controller does not allow scripts that",
			`contain a NULL character '\0'.`)
	case bytes.Contains(script, []byte("\r\n")):
		return fail(`Batch script contains DOS line breaks (\r\n)`,
			`instead of expected UNIX line breaks (\n).`)
	case len(script) > MaxScriptSize:
		return fmt.Errorf("cannot submit a script of %d bytes: %w", len(script), ErrnoPathnameTooLong)
	}
	return nil
}

// WrapScript returns the script that sbatch --wrap makes of a command line.
func WrapScript(command string) []byte {
	return []byte("#!/bin/sh\n# This script was created by sbatch --wrap.\n\n" + command + "\n")
}

// ParseScript checks a script and finds its directives. #SBATCH and #RINK lines
// count up to the first line that is neither empty nor a remark; #PBS and #BSUB
// lines count wherever they stand, as in Slurm. name is what messages call the
// script, program what they begin with. The error is an *OptionError or carries
// an Errno.
func ParseScript(program, name string, script []byte) (*Script, error) {
	if err := CheckScript(program, script); err != nil {
		return nil, err
	}
	s := &Script{Name: name}
	commands := false
	number := 0
	for line := range strings.Lines(string(script)) {
		number++
		line = strings.TrimSuffix(line, "\n")
		d := Directive{Line: number}
		marker, text := "", ""
		for _, m := range []string{"#SBATCH", "#RINK", "#PBS", "#BSUB"} {
			if strings.HasPrefix(line, m) {
				marker, text = m, strings.TrimLeft(line[len(m):], blank)
			}
		}
		d.Text = text
		switch marker {
		case "#PBS":
			d.Kind = PBSDirective
			s.Directives = append(s.Directives, d)
			continue
		case "#BSUB":
			d.Kind = BSUBDirective
			s.Directives = append(s.Directives, d)
			continue
		case "":
			if t := strings.TrimLeft(line, blank); t != "" && t[0] != '#' {
				commands = true
			}
			continue
		}
		if commands {
			continue
		}
		if err := s.directive(program, marker, d); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// blank is white space within a line.
const blank = " \t\v\f\r"

// directive adds one #SBATCH or #RINK line.
func (s *Script) directive(program, marker string, d Directive) error {
	words, err := s.words(program, d)
	if err != nil {
		return err
	}
	first := ""
	if len(words) > 0 {
		first = words[0]
	}
	switch {
	case marker == "#RINK" && first == "stage":
		d.Kind, d.Args = StageDirective, words[1:]
	case first == "hetjob" || first == "packjob":
		if first == "packjob" {
			s.Notices = append(s.Notices, Notice{Text: `Warning: the "packjob" component separator is being deprecated. Please, use "hetjob" instead.`})
		}
		d.Kind = HetDirective
	default:
		d.Args = words
	}
	s.Directives = append(s.Directives, d)
	return nil
}

// components parts the directives at the hetjob lines. The options of a script
// without directives are one empty component.
func (s *Script) components() [][]Directive {
	var out [][]Directive
	var part []Directive
	for _, d := range s.Directives {
		switch d.Kind {
		case StageDirective:
		case HetDirective:
			out = append(out, part)
			part = nil
		default:
			part = append(part, d)
		}
	}
	return append(out, part)
}

// DirectiveWords splits what stands behind a marker such as #SCRON into words,
// by the rules of #SBATCH lines. name and line are where it stands. With the
// words as Args of an OptionDirective in a Script, CommandLine.Resolve reads them.
func DirectiveWords(program, name string, line int, text string) ([]string, error) {
	s := &Script{Name: name}
	return s.words(program, Directive{Line: line, Text: strings.TrimLeft(text, blank)})
}

// words splits a directive as sbatch does, which is near to a shell but not the
// same: quotes hold words together, a backslash takes the meaning of a quote, a
// # or another backslash but does not hold a blank, an unquoted # ends the line
// even within a word, and an empty word ends it too.
func (s *Script) words(program string, d Directive) ([]string, error) {
	var words []string
	rest := d.Text
	for {
		word, after, why := directiveWord(rest)
		if why != "" {
			return nil, fatalError(program, "%s: line %d: %s in [%s]", s.Name, d.Line, why, rest)
		}
		if word == "" {
			return words, nil
		}
		words = append(words, word)
		rest = after
	}
}

// directiveWord takes the first word of a text. why says what is wrong.
func directiveWord(text string) (word, rest, why string) {
	i := 0
	for i < len(text) && strings.IndexByte(blank, text[i]) >= 0 {
		i++
	}
	if i < len(text) && text[i] == ':' {
		return "", "", "Unexpected `:`"
	}
	var b strings.Builder
	var quoted byte
	for ; i < len(text); i++ {
		c := text[i]
		switch {
		case quoted == 0 && strings.IndexByte(blank, c) >= 0:
			return b.String(), text[i:], ""
		case c == '\\':
			// What follows loses its meaning, unless it is a blank outside quotes.
			if i+1 < len(text) && (quoted != 0 || strings.IndexByte(blank, text[i+1]) < 0) {
				i++
				b.WriteByte(text[i])
			}
		case quoted != 0 && c == quoted:
			quoted = 0
		case quoted == 0 && (c == '"' || c == '\''):
			quoted = c
		case quoted == 0 && c == '#':
			return b.String(), "", ""
		default:
			b.WriteByte(c)
		}
	}
	if quoted != 0 {
		return "", "", fmt.Sprintf("Unmatched `%c`", quoted)
	}
	return b.String(), "", ""
}
