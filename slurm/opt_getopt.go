package slurm

import "strings"

// ArgKind says whether an option takes a value.
type ArgKind int8

const (
	// NoArg: the option stands alone; --name=value is a mistake.
	NoArg ArgKind = iota
	// RequiredArg: the value is joined (-N2, --nodes=2) or is the next word.
	RequiredArg
	// OptionalArg: the value counts only when it is joined.
	OptionalArg
)

// OptionSpec is one row of a command's option table.
type OptionSpec struct {
	// Names are the long names without dashes; the first is the canonical one.
	// The others are the same option spelled differently, so that a prefix that
	// fits several of them is not ambiguous. Empty: the option has a letter only.
	Names []string
	// Short is the letter, 0 when there is none.
	Short byte
	// Arg says whether the option takes a value.
	Arg ArgKind
}

// Name returns the canonical name: the first long one, or the letter.
func (s *OptionSpec) Name() string {
	if len(s.Names) > 0 {
		return s.Names[0]
	}
	return string(rune(s.Short))
}

// Option is one option as it was found on a command line.
type Option struct {
	Spec     *OptionSpec
	Value    string
	HasValue bool // false for NoArg, and for OptionalArg without a value
}

// Name returns the canonical name of the option.
func (o Option) Name() string { return o.Spec.Name() }

// Permute says what Getopt does with words that are not options.
type Permute bool

const (
	// StopAtWord ends the options at the first word that is none, as sbatch and
	// srun do: the rest is the script or the command with its own options.
	StopAtWord Permute = false
	// PermuteWords takes options wherever they stand, as squeue and scancel do.
	PermuteWords Permute = true
)

// Getopt reads args, which are without the program's name, by the rules of
// GNU getopt_long: joined and clustered letters, --name=value and --name value,
// unique prefixes of long names, and "--" as the end. It returns the options in
// order and the words that are none. On a mistake the error is an *OptionError
// that reads as getopt prints it, and opts holds what stood before the mistake:
// whoever acts on the options in order finds the same mistake first as Slurm.
func Getopt(program string, table []OptionSpec, args []string, permute Permute) (opts []Option, rest []string, err error) {
	g := getopt{program: program, table: table, args: args}
	for g.next < len(g.args) {
		word := g.args[g.next]
		switch {
		case word == "--":
			return g.opts, append(rest, g.args[g.next+1:]...), nil
		case strings.HasPrefix(word, "--"):
			g.next++
			err = g.long(word[2:])
		case len(word) > 1 && word[0] == '-':
			g.next++
			err = g.letters(word[1:])
		case permute == PermuteWords:
			g.next++
			rest = append(rest, word)
		default:
			return g.opts, append(rest, g.args[g.next:]...), nil
		}
		if err != nil {
			return g.opts, append(rest, g.args[g.next:]...), err
		}
	}
	return g.opts, rest, nil
}

// getopt is one run of Getopt.
type getopt struct {
	program string
	table   []OptionSpec
	args    []string
	next    int // the next word to read
	opts    []Option
}

// long reads the word "--"+text.
func (g *getopt) long(text string) error {
	name, value, hasValue := strings.Cut(text, "=")
	spec, long, err := g.find(name, text)
	if err != nil {
		return err
	}
	switch {
	case hasValue && spec.Arg == NoArg:
		return g.mistake("option '--" + long + "' doesn't allow an argument")
	case !hasValue && spec.Arg == RequiredArg:
		if g.next >= len(g.args) {
			return g.mistake("option '--" + long + "' requires an argument")
		}
		value, hasValue = g.args[g.next], true
		g.next++
	}
	g.opts = append(g.opts, Option{Spec: spec, Value: value, HasValue: hasValue})
	return nil
}

// find returns the row that name means and the full spelling it was found by:
// an exact match wins, else a prefix that fits only one option.
func (g *getopt) find(name, text string) (*OptionSpec, string, error) {
	var found *OptionSpec
	var long string
	var others []string // spellings of other options that name is a prefix of as well
	for i := range g.table {
		spec := &g.table[i]
		for _, n := range spec.Names {
			switch {
			case n == name:
				return spec, n, nil
			case !strings.HasPrefix(n, name):
			case found == nil:
				found, long = spec, n
			case found != spec:
				others = append(others, n)
			}
		}
	}
	if found == nil {
		return nil, "", g.mistake("unrecognized option '--" + text + "'")
	}
	if len(others) > 0 {
		s := "option '--" + text + "' is ambiguous; possibilities: '--" + long + "'"
		for _, n := range others {
			s += " '--" + n + "'"
		}
		return nil, "", g.mistake(s)
	}
	return found, long, nil
}

// letters reads the word "-"+text: letters without a value, then perhaps one with.
func (g *getopt) letters(text string) error {
	for i := 0; i < len(text); i++ {
		spec := g.byLetter(text[i])
		if spec == nil {
			return g.mistake("invalid option -- '" + text[i:i+1] + "'")
		}
		opt := Option{Spec: spec}
		joined := text[i+1:]
		switch {
		case spec.Arg == NoArg:
			g.opts = append(g.opts, opt)
			continue
		case joined != "":
			opt.Value, opt.HasValue = joined, true
		case spec.Arg == OptionalArg:
		case g.next < len(g.args):
			opt.Value, opt.HasValue = g.args[g.next], true
			g.next++
		default:
			return g.mistake("option requires an argument -- '" + text[i:i+1] + "'")
		}
		g.opts = append(g.opts, opt)
		return nil
	}
	return nil
}

func (g *getopt) byLetter(c byte) *OptionSpec {
	for i := range g.table {
		if g.table[i].Short == c && c != 0 {
			return &g.table[i]
		}
	}
	return nil
}

func (g *getopt) mistake(text string) error {
	return &OptionError{
		Exit: 255,
		Lines: []string{
			g.program + ": " + text,
			`Try "` + g.program + ` --help" for more information`,
		},
	}
}
