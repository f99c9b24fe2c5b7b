// Package manual makes the manual pages and the shell completion from what there
// is already: the text that --help prints, and for each page a source with what
// a page says beyond it.
package manual

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// Page is what a manual page is made of.
type Page struct {
	Name    string // the page's name, which for a verb of rink is rink-VERB
	Section int
	Title   string // what the command is called by, such as "rink why"; the name when empty
	What    string // in half a line
	Help    string // what --help prints; "" when there is no such text
	More    string // further sections, in the form of man/src
	See     []string
}

// option is an option of a help text.
type option struct {
	spellings string // as they stand: "-j, --jobs[=LIST]"
	text      []string
}

// section is a part of a help text under a heading of its own.
type section struct {
	title   string
	options []option
	lines   []string // text that is no option
}

// parsed is a help text in its parts.
type parsed struct {
	usage []string
	intro []string
	parts []section
}

// textColumn is where the explanation of an option begins at the earliest.
const textColumn = 10

// parseHelp reads a help text: the usage, a paragraph, then sections with options,
// two blanks in, and text.
func parseHelp(help string) parsed {
	var p parsed
	lines := strings.Split(strings.TrimRight(help, "\n"), "\n")
	i := 0
	for ; i < len(lines) && (strings.HasPrefix(lines[i], "Usage: ") || i > 0 && strings.HasPrefix(lines[i], "  ")); i++ {
		p.usage = append(p.usage, strings.TrimSpace(strings.TrimPrefix(lines[i], "Usage: ")))
	}
	for i < len(lines) && lines[i] == "" {
		i++
	}
	for ; i < len(lines) && lines[i] != "" && !isOption(lines[i]) && !isTitle(lines[i]); i++ {
		p.intro = append(p.intro, lines[i])
	}
	at := -1
	open := func(title string) {
		p.parts = append(p.parts, section{title: title})
		at = len(p.parts) - 1
	}
	for ; i < len(lines); i++ {
		line := lines[i]
		switch {
		case line == "":
			if at >= 0 && len(p.parts[at].lines) > 0 {
				p.parts[at].lines = append(p.parts[at].lines, "")
			}
		case isTitle(line):
			open(strings.TrimSuffix(line, ":"))
		case isOption(line):
			if at < 0 || len(p.parts[at].lines) > 0 && p.parts[at].title == "" {
				open("")
			}
			spellings, text := cutOption(line)
			o := option{spellings: spellings}
			if text != "" {
				o.text = append(o.text, text)
			}
			p.parts[at].options = append(p.parts[at].options, o)
		case at >= 0 && len(p.parts[at].options) > 0 && len(p.parts[at].lines) == 0 && indent(line) >= textColumn:
			list := p.parts[at].options
			list[len(list)-1].text = append(list[len(list)-1].text, strings.TrimSpace(line))
		default:
			if at < 0 || line[0] != ' ' && len(p.parts[at].options) > 0 {
				open("")
			}
			p.parts[at].lines = append(p.parts[at].lines, line)
		}
	}
	return p
}

func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

var optionLine = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^ {2,8}-{1,2}[A-Za-z]`) })

func isOption(line string) bool { return optionLine().MatchString(line) }

func isTitle(line string) bool {
	return line != "" && line[0] != ' ' && strings.HasSuffix(line, ":") && len(line) < 70
}

// cutOption parts an option's line where two blanks stand, or behind its only word.
func cutOption(line string) (spellings, text string) {
	line = strings.TrimSpace(line)
	if i := strings.Index(line, "  "); i > 0 {
		return line[:i], strings.TrimSpace(line[i:])
	}
	return line, ""
}

// Options returns the options that a help text tells of, each by its long
// spellings and letters, dashes included, without values.
func Options(help string) []string {
	var out []string
	for _, part := range parseHelp(help).parts {
		for _, o := range part.options {
			for _, s := range strings.FieldsFunc(o.spellings, func(r rune) bool { return r == ',' || r == ';' }) {
				if s = strings.TrimSpace(s); strings.HasPrefix(s, "-") {
					if end := strings.IndexAny(s, "=[ "); end > 0 {
						s = s[:end]
					}
					out = append(out, s)
				}
			}
		}
	}
	return out
}

// Roff writes the page in the language of man.
func (p *Page) Roff() string {
	var b strings.Builder
	title := p.Title
	if title == "" {
		title = p.Name
	}
	fmt.Fprintf(&b, ".\\\" Made by make man from the help text and man/src/%s.txt.\n", p.Name)
	fmt.Fprintf(&b, ".TH %s %d \"\" \"Runink\" \"%s\"\n", strings.ToUpper(p.Name), p.Section, volume[p.Section])
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", escape(title), escape(p.What))
	help := parseHelp(p.Help)
	if len(help.usage) > 0 {
		b.WriteString(".SH SYNOPSIS\n.nf\n")
		for _, u := range help.usage {
			fmt.Fprintf(&b, "%s\n", escape(u))
		}
		b.WriteString(".fi\n")
	}
	more := splitMore(p.More)
	if len(help.intro)+len(more["DESCRIPTION"]) > 0 {
		b.WriteString(".SH DESCRIPTION\n")
		writeText(&b, append(append([]string(nil), help.intro...), more["DESCRIPTION"]...))
	}
	if len(help.parts) > 0 {
		b.WriteString(".SH OPTIONS\n")
		for _, part := range help.parts {
			if part.title != "" {
				fmt.Fprintf(&b, ".SS %s\n", escape(part.title))
			}
			for _, o := range part.options {
				fmt.Fprintf(&b, ".TP\n\\fB%s\\fR\n%s\n", escape(o.spellings), escape(sentence(o.text)))
			}
			if len(part.lines) > 0 {
				if len(part.options) > 0 || part.title == "" {
					b.WriteString(".PP\n")
				}
				writeText(&b, part.lines)
			}
		}
	}
	for _, name := range order(p.More) {
		if name == "DESCRIPTION" {
			continue
		}
		fmt.Fprintf(&b, ".SH %s\n", name)
		writeText(&b, more[name])
	}
	if len(p.See) > 0 {
		b.WriteString(".SH SEE ALSO\n")
		for i, s := range p.See {
			name, num, _ := strings.Cut(s, ".")
			end := ","
			if i == len(p.See)-1 {
				end = ""
			}
			fmt.Fprintf(&b, ".BR %s (%s)%s\n", escape(name), num, end)
		}
	}
	return b.String()
}

var volume = map[int]string{1: "Commands", 5: "File formats", 8: "Daemons"}

// sentence joins an option's text; one that says nothing of its own says so.
func sentence(text []string) string {
	if len(text) == 0 {
		return "See above."
	}
	return strings.Join(text, " ")
}

// splitMore reads a page's source: "# TITLE" lines and the text below them.
func splitMore(more string) map[string][]string {
	out := map[string][]string{}
	title := "DESCRIPTION"
	for _, line := range strings.Split(strings.TrimRight(more, "\n"), "\n") {
		if t, ok := strings.CutPrefix(line, "# "); ok {
			title = t
			continue
		}
		if line == "" && len(out[title]) == 0 {
			continue
		}
		out[title] = append(out[title], line)
	}
	if len(out["DESCRIPTION"]) > 0 {
		// Apart from what the help text says before it.
		out["DESCRIPTION"] = append([]string{""}, out["DESCRIPTION"]...)
	}
	return out
}

// order lists the titles of a page's source as they stand.
func order(more string) []string {
	var out []string
	for _, line := range strings.Split(more, "\n") {
		if t, ok := strings.CutPrefix(line, "# "); ok {
			out = append(out, t)
		}
	}
	return out
}

// writeText writes paragraphs; indented lines stand as they are, and "- WORD: text"
// is a tagged paragraph.
func writeText(b *strings.Builder, lines []string) {
	asIs := false
	gap := false
	for _, line := range lines {
		if strings.TrimSpace(line) == "" {
			gap = true
			continue
		}
		switch own := line[0] == ' '; {
		case own && !asIs:
			b.WriteString(".PP\n.nf\n")
			asIs = true
		case !own && asIs:
			b.WriteString(".fi\n.PP\n")
			asIs = false
		case gap && asIs:
			b.WriteString("\n")
		case gap:
			b.WriteString(".PP\n")
		}
		gap = false
		if tag, ok := strings.CutPrefix(line, "- "); ok && !asIs {
			word, text, _ := strings.Cut(tag, ": ")
			fmt.Fprintf(b, ".TP\n\\fB%s\\fR\n%s\n", escape(word), escape(text))
			continue
		}
		fmt.Fprintf(b, "%s\n", escape(line))
	}
	if asIs {
		b.WriteString(".fi\n")
	}
}

// escape keeps what roff would take for its own language.
func escape(s string) string {
	s = strings.ReplaceAll(s, `\`, `\e`)
	s = strings.ReplaceAll(s, "-", `\-`)
	if s != "" && (s[0] == '.' || s[0] == '\'') {
		s = `\&` + s
	}
	return s
}

// FromFlags turns the help that the flag library prints for a daemon or a verb into
// the form that help texts of ours have.
func FromFlags(help string) string {
	if !strings.HasPrefix(help, "NAME:") {
		return help
	}
	var b strings.Builder
	part := ""
	for _, line := range strings.Split(help, "\n") {
		if line != "" && line[0] != ' ' {
			part = strings.TrimSuffix(line, ":")
			continue
		}
		text := strings.TrimSpace(line)
		switch {
		case text == "":
		case part == "USAGE" && b.Len() == 0:
			b.WriteString("Usage: " + text + "\n")
		case part == "USAGE":
			b.WriteString("  " + text + "\n")
		case strings.HasSuffix(part, "OPTIONS"):
			if !strings.Contains(b.String(), "\n\n") {
				b.WriteByte('\n')
			}
			b.WriteString("  " + strings.ReplaceAll(text, " (default: false)", "") + "\n")
		case part == "DESCRIPTION":
			b.WriteString(text + "\n")
		}
	}
	return b.String()
}
