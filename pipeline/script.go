package pipeline

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Bounds of a script. Beyond them Parse refuses it.
const (
	MaxScript = 4 << 20  // bytes of a script, Slurm's max_script_size
	MaxText   = 16 << 20 // bytes of the job scripts that all stages make together
	MaxStages = 256
	MaxName   = 64        // bytes of a stage's name
	MaxArgs   = 128 << 10 // bytes of one stage's options
)

// Script is a script of several stages, checked: names are unique, every need
// is a stage and no stage waits for itself. It has no stages when the script
// has no stage line.
type Script struct {
	Name   string  // as given to Parse, for messages
	Head   []byte  // what stands before the first stage line
	Stages []Stage // in the order of the script
}

// Stage is one stage of a script, a job or an array.
type Stage struct {
	Name  string
	Line  int      // its stage line, counted from 1
	Args  []string // sbatch options, unquoted: those of its line, then those of the directives that follow
	Needs []string // stages that must end well first, each once, in the order given
	Body  []byte   // what follows the stage line
}

// Error is what is wrong with a script, and where.
type Error struct {
	Script string
	Line   int // counted from 1
	Text   string
}

// Error returns the text behind the script's name and the line.
func (e *Error) Error() string { return fmt.Sprintf("%s:%d: %s", e.Script, e.Line, e.Text) }

// HasStages reports whether a script has a stage line and so is for Parse; one
// that has none is an ordinary batch script.
func HasStages(script []byte) bool {
	for line := range bytes.Lines(script) {
		if isStageLine(string(bytes.TrimSuffix(line, []byte("\n")))) {
			return true
		}
	}
	return false
}

// Parse reads a script. Its name stands in messages only. Every error is an
// *Error and tells of the first thing found wrong.
func Parse(name string, script []byte) (*Script, error) {
	p := parser{script: &Script{Name: name}, byName: make(map[string]int)}
	if !HasStages(script) {
		p.script.Head = script // whatever it is, sbatch reads it
		return p.script, nil
	}
	if err := p.checkBytes(script); err != nil {
		return nil, err
	}
	if err := p.split(script); err != nil {
		return nil, err
	}
	if err := p.checkNeeds(); err != nil {
		return nil, err
	}
	if err := p.checkText(); err != nil {
		return nil, err
	}
	return p.script, nil
}

// Text returns the job script of a stage of s: the head, then the body on the
// lines it has in the whole script, so that the line numbers an interpreter
// prints are those of the file the user wrote. What stands between is left
// blank, and the stage line is a plain comment.
func (s *Script) Text(st Stage) []byte {
	head := bytes.Count(s.Head, []byte("\n"))
	comment := "# stage " + st.Name + "\n"
	text := make([]byte, 0, s.textLen(st))
	text = append(text, s.Head...)
	for range st.Line - 1 - head {
		text = append(text, '\n')
	}
	text = append(text, comment...)
	return append(text, st.Body...)
}

func (s *Script) textLen(st Stage) int {
	head := bytes.Count(s.Head, []byte("\n"))
	return len(s.Head) + (st.Line - 1 - head) + len("# stage \n") + len(st.Name) + len(st.Body)
}

// Order returns the positions in s.Stages in an order in which each stage comes
// after those it needs, and otherwise in the order of the script.
func (s *Script) Order() []int {
	byName := make(map[string]int, len(s.Stages))
	for i, st := range s.Stages {
		byName[st.Name] = i
	}
	order, done := make([]int, 0, len(s.Stages)), make([]bool, len(s.Stages))
	ready := func(i int) bool {
		return !slices.ContainsFunc(s.Stages[i].Needs, func(n string) bool { return !done[byName[n]] })
	}
	for len(order) < len(s.Stages) {
		next := -1
		for i := range s.Stages {
			if !done[i] && ready(i) {
				next = i
				break
			}
		}
		if next < 0 {
			return order // a cycle, which Parse refuses
		}
		done[next] = true
		order = append(order, next)
	}
	return order
}

// Needs returns, for each stage of an order, the positions in that order of the
// stages it needs. With the order of Order each position is smaller than that
// of the stage which needs it.
func (s *Script) Needs(order []int) [][]int {
	at := make(map[string]int, len(order))
	for pos, i := range order {
		at[s.Stages[i].Name] = pos
	}
	needs := make([][]int, len(order))
	for pos, i := range order {
		for _, n := range s.Stages[i].Needs {
			needs[pos] = append(needs[pos], at[n])
		}
	}
	return needs
}

// parser holds what is known while a script is read.
type parser struct {
	script *Script
	byName map[string]int // position in script.Stages
}

func (p *parser) errorf(line int, format string, args ...any) error {
	return &Error{Script: p.script.Name, Line: line, Text: fmt.Sprintf(format, args...)}
}

// checkBytes refuses what no interpreter could make sense of.
func (p *parser) checkBytes(script []byte) error {
	if len(script) > MaxScript {
		return p.errorf(1, "the script has %d bytes, more than the %d a script may have", len(script), MaxScript)
	}
	if i := bytes.IndexByte(script, 0); i >= 0 {
		return p.errorf(lineOf(script, i), "the script contains a NUL byte")
	}
	if i := bytes.Index(script, []byte("\r\n")); i >= 0 {
		return p.errorf(lineOf(script, i), `the line ends in a DOS line break (\r\n) instead of a UNIX one (\n)`)
	}
	if !bytes.HasPrefix(script, []byte("#!")) {
		return p.errorf(1, "the script does not begin with #! and the path of an interpreter")
	}
	return nil
}

// split cuts the script at its stage lines and reads these and the directives.
func (p *parser) split(script []byte) error {
	var (
		stage      *Stage // nil in the head
		start      int    // of the head, or of the stage's body
		offset, no int
		directives = true // still before the first command
	)
	endPart := func(end int) {
		if stage == nil {
			p.script.Head = script[:end:end]
		} else {
			stage.Body = script[start:end:end]
		}
	}
	for raw := range bytes.Lines(script) {
		line := string(bytes.TrimSuffix(raw, []byte("\n")))
		no++
		switch {
		case isStageLine(line):
			endPart(offset)
			st, err := p.stageLine(no, line)
			if err != nil {
				return err
			}
			p.script.Stages = append(p.script.Stages, st)
			p.byName[st.Name] = len(p.script.Stages) - 1
			stage = &p.script.Stages[len(p.script.Stages)-1]
			start, directives = offset+len(raw), true
		case directives && strings.HasPrefix(line, "#"):
			if err := p.directive(stage, no, line); err != nil {
				return err
			}
		case strings.Trim(line, blanks) != "":
			directives = false
		}
		offset += len(raw)
	}
	endPart(len(script))
	return nil
}

// stageLine reads one stage line.
func (p *parser) stageLine(no int, line string) (Stage, error) {
	st := Stage{Line: no}
	ws, err := words(strings.TrimPrefix(line, "#RINK"))
	if err != nil {
		return st, p.errorf(no, "%v", err)
	}
	if ws[0] != "stage" {
		return st, p.errorf(no, "%q is not a directive (want stage)", ws[0])
	}
	ws = ws[1:]
	if len(ws) == 0 {
		return st, p.errorf(no, "a stage needs a name: #RINK stage NAME [options] [--needs=a,b]")
	}
	st.Name = ws[0]
	if err := checkName(st.Name); err != nil {
		return st, p.errorf(no, "%v", err)
	}
	if first, ok := p.byName[st.Name]; ok {
		return st, p.errorf(no, "stage %q is already on line %d", st.Name, p.script.Stages[first].Line)
	}
	if len(p.script.Stages) == MaxStages {
		return st, p.errorf(no, "stage %q is one more than the %d a script may have", st.Name, MaxStages)
	}
	for i := 1; i < len(ws); i++ {
		value, found := strings.CutPrefix(ws[i], "--needs=")
		if ws[i] == "--needs" {
			if i++; i == len(ws) {
				return st, p.errorf(no, "stage %q: --needs wants the names of stages", st.Name)
			}
			value, found = ws[i], true
		}
		if !found {
			st.Args = append(st.Args, ws[i])
			continue
		}
		for need := range strings.SplitSeq(value, ",") {
			if err := checkName(need); err != nil {
				return st, p.errorf(no, "stage %q: --needs=%s: %v", st.Name, value, err)
			}
			if need == st.Name {
				return st, p.errorf(no, "stage %q needs itself", st.Name)
			}
			if !slices.Contains(st.Needs, need) {
				st.Needs = append(st.Needs, need)
			}
		}
	}
	return st, p.checkArgs(no, &st)
}

// directive reads a comment line before the first command, which may hold
// options of the stage, or of all stages when stage is nil.
func (p *parser) directive(stage *Stage, no int, line string) error {
	text, found := strings.CutPrefix(line, "#RINK")
	if !found {
		text, found = strings.CutPrefix(line, "#SBATCH")
	}
	if !found || text == "" || !strings.Contains(blanks, text[:1]) {
		return nil
	}
	ws, err := words(text)
	if err != nil {
		return p.errorf(no, "%v", err)
	}
	for _, w := range ws {
		switch {
		case w == "--needs" || strings.HasPrefix(w, "--needs="):
			return p.errorf(no, "--needs stands on a stage's own line alone")
		case w == ws[0] && (w == "hetjob" || w == "packjob"):
			return p.errorf(no, "a stage cannot be a heterogeneous job")
		}
	}
	if stage == nil {
		return nil // sbatch reads the head's directives as it reads any script's
	}
	stage.Args = append(stage.Args, ws...)
	return p.checkArgs(no, stage)
}

func (p *parser) checkArgs(no int, st *Stage) error {
	size := 0
	for _, a := range st.Args {
		size += len(a) + 1
	}
	if size > MaxArgs {
		return p.errorf(no, "stage %q has more than %d bytes of options", st.Name, MaxArgs)
	}
	return nil
}

// checkNeeds refuses needs that are no stage, and cycles.
func (p *parser) checkNeeds() error {
	for _, st := range p.script.Stages {
		for _, n := range st.Needs {
			if _, ok := p.byName[n]; !ok {
				return p.errorf(st.Line, "stage %q needs %q, which is not a stage", st.Name, n)
			}
		}
	}
	// Depth first from each stage in turn: a need that is on the path already
	// closes a cycle, which is told from its first stage in the script.
	const (
		unseen = iota
		onPath
		cleared
	)
	var (
		state = make([]uint8, len(p.script.Stages))
		path  []int
		visit func(i int) []int
	)
	visit = func(i int) []int {
		state[i] = onPath
		path = append(path, i)
		for _, n := range p.script.Stages[i].Needs {
			j := p.byName[n]
			switch state[j] {
			case onPath:
				return path[slices.Index(path, j):]
			case unseen:
				if cycle := visit(j); cycle != nil {
					return cycle
				}
			}
		}
		state[i] = cleared
		path = path[:len(path)-1]
		return nil
	}
	for i := range p.script.Stages {
		if state[i] != unseen {
			continue
		}
		if cycle := visit(i); cycle != nil {
			return p.cycleError(cycle)
		}
	}
	return nil
}

func (p *parser) cycleError(cycle []int) error {
	first := slices.Index(cycle, slices.Min(cycle))
	var b strings.Builder
	for k := range cycle {
		st := p.script.Stages[cycle[(first+k)%len(cycle)]]
		fmt.Fprintf(&b, "%s needs ", st.Name)
	}
	st := p.script.Stages[cycle[first]]
	return p.errorf(st.Line, "stage %q waits for itself: %s%s", st.Name, b.String(), st.Name)
}

// checkText bounds what all stages together make, because the head is in each.
func (p *parser) checkText() error {
	total := 0
	for _, st := range p.script.Stages {
		if total += p.script.textLen(st); total > MaxText {
			return p.errorf(st.Line, "with stage %q the stages' scripts, the head in each, have more than %d bytes", st.Name, MaxText)
		}
	}
	return nil
}

// checkName says what is wrong with the name of a stage.
func checkName(name string) error {
	if name == "" {
		return fmt.Errorf("the name of a stage is empty")
	}
	if len(name) > MaxName {
		return fmt.Errorf("%.20q... is not a name of a stage: %d bytes, at most %d", name, len(name), MaxName)
	}
	for i, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || !(c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.')) {
			return fmt.Errorf("%q is not a name of a stage (a letter, then letters, digits, _ - .)", name)
		}
	}
	return nil
}

func lineOf(text []byte, offset int) int { return 1 + bytes.Count(text[:offset], []byte("\n")) }
