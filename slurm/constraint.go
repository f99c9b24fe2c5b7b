package slurm

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// ConstraintOp says how the parts of a Constraint belong together.
type ConstraintOp uint8

// The ways parts belong together.
const (
	ConstraintNone    ConstraintOp = iota // nothing is asked for
	ConstraintFeature                     // a node with the feature Name
	ConstraintAnd                         // a&b: each node with all of Kids
	ConstraintOr                          // a|b: each node with any of Kids
	ConstraintOneOf                       // [a|b]: all nodes with the same one of Kids
	ConstraintCounts                      // [a*2&b*4]: of each of Kids its Count of nodes
)

// Constraint is what --constraint and --prefer ask of nodes' features, as a tree.
// The zero value asks for nothing.
type Constraint struct {
	Op    ConstraintOp
	Name  string       // ConstraintFeature
	Kids  []Constraint // all other kinds: at least one
	Count int          // *N behind it: at least so many nodes; 0: not said
	Group bool         // it stood in parentheses
}

// ParseConstraint reads features joined by & (or a comma) and |, from left to
// right, with one level of parentheses, counts as in a*4, and one bracket: [a|b]
// for the same one on all nodes, [a*2&b*4] for numbers of each. An operator at
// the end is taken and means nothing, as in Slurm. "" asks for nothing.
func ParseConstraint(s string) (Constraint, error) {
	p := constraintParser{text: s}
	if s == "" {
		return Constraint{}, nil
	}
	c, why := p.list(0)
	if why == "" && p.pos < len(s) {
		why = fmt.Sprintf("%q at position %d", s[p.pos], p.pos)
	}
	if why != "" {
		return Constraint{}, &SyntaxError{Input: s, What: "a list of features", Why: why, Code: ErrnoInvalidFeature}
	}
	return c, nil
}

// constraintParser reads one text. A reading that goes wrong says why.
type constraintParser struct {
	text    string
	pos     int
	bracket bool // one has been read
}

func (p *constraintParser) peek() byte {
	if p.pos < len(p.text) {
		return p.text[p.pos]
	}
	return 0
}

// list reads operands and operators up to shut: 0 (the end), ')' or ']'.
func (p *constraintParser) list(shut byte) (Constraint, string) {
	var c Constraint
	for n := 0; ; n++ {
		op := ConstraintAnd
		if n > 0 {
			switch p.peek() {
			case '&', ',':
			case '|':
				op = ConstraintOr
			default:
				return c, ""
			}
			p.pos++
			if p.pos == len(p.text) && shut == 0 {
				return c, ""
			}
		}
		kid, why := p.operand(shut)
		if why != "" {
			return c, why
		}
		switch {
		case n == 0:
			c = kid
		case c.Op == op && !c.Group && c.Count == 0:
			c.Kids = append(c.Kids, kid)
		default:
			c = Constraint{Op: op, Kids: []Constraint{c, kid}}
		}
	}
}

// operand reads a feature, a group or a bracket.
func (p *constraintParser) operand(within byte) (c Constraint, why string) {
	at := p.pos
	switch p.peek() {
	case '[':
		if within != 0 {
			return c, "a bracket within a group"
		}
		if p.bracket {
			return c, "a second bracket"
		}
		p.bracket = true
		return p.inBrackets()
	case '(':
		if within == ')' {
			return c, "parentheses within parentheses"
		}
		p.pos++
		if c, why = p.list(')'); why != "" {
			return c, why
		}
		if p.peek() != ')' {
			return c, "( without )"
		}
		p.pos++
		if c.anyCount() {
			return c, "a count within parentheses"
		}
		c.Group = true
	default:
		for p.pos < len(p.text) && !strings.ContainsRune("&|,()[]* \t\n\r\"'!", rune(p.text[p.pos])) {
			p.pos++
		}
		name := p.text[at:p.pos]
		if name == "" || name[0] == '-' {
			return c, fmt.Sprintf("no feature at position %d", at)
		}
		c = Constraint{Op: ConstraintFeature, Name: name}
	}
	if p.peek() == '*' {
		p.pos++
		k := digits(p.text[p.pos:])
		n, ok := parseUint(p.text[p.pos:p.pos+k], math.MaxInt32)
		if !ok || n == 0 {
			return c, fmt.Sprintf("count at position %d", p.pos)
		}
		p.pos += k
		c.Count = int(n)
	}
	return c, ""
}

// inBrackets reads [a|b] or [a*2&b*4].
func (p *constraintParser) inBrackets() (Constraint, string) {
	p.pos++
	c, why := p.list(']')
	if why != "" {
		return c, why
	}
	if p.peek() != ']' {
		return c, "[ without ]"
	}
	p.pos++
	kids := []Constraint{c}
	joined := (c.Op == ConstraintAnd || c.Op == ConstraintOr) && !c.Group && c.Count == 0
	if joined {
		kids = c.Kids
	}
	counted := 0
	for _, k := range kids {
		if k.Count > 0 {
			counted++
		}
		if (k.Op == ConstraintAnd || k.Op == ConstraintOr) && !k.Group {
			return c, "& and | mixed in a bracket"
		}
	}
	switch {
	case counted == len(kids) && !(joined && c.Op == ConstraintOr):
		return Constraint{Op: ConstraintCounts, Kids: kids}, ""
	case counted == 0 && !(joined && c.Op == ConstraintAnd):
		return Constraint{Op: ConstraintOneOf, Kids: kids}, ""
	}
	return c, "a bracket holds either [a|b] or [a*2&b*4]"
}

func (c Constraint) anyCount() bool {
	return c.Count > 0 || slices.ContainsFunc(c.Kids, Constraint.anyCount)
}

// IsZero reports whether nothing is asked for.
func (c Constraint) IsZero() bool { return c.Op == ConstraintNone }

// Features returns the names of all features in it, in order and once each.
func (c Constraint) Features() []string {
	var out []string
	var walk func(Constraint)
	walk = func(c Constraint) {
		if c.Op == ConstraintFeature && !slices.Contains(out, c.Name) {
			out = append(out, c.Name)
		}
		for _, k := range c.Kids {
			walk(k)
		}
	}
	walk(c)
	return out
}

// String prints the constraint so that ParseConstraint reads it back.
func (c Constraint) String() string {
	var s string
	switch c.Op {
	case ConstraintNone:
		return ""
	case ConstraintFeature:
		s = c.Name
	case ConstraintAnd:
		s = joinConstraints(c.Kids, "&")
	case ConstraintOr:
		s = joinConstraints(c.Kids, "|")
	case ConstraintOneOf:
		return "[" + joinConstraints(c.Kids, "|") + "]"
	case ConstraintCounts:
		return "[" + joinConstraints(c.Kids, "&") + "]"
	}
	if c.Group {
		s = "(" + s + ")"
	}
	if c.Count > 0 {
		s += "*" + strconv.Itoa(c.Count)
	}
	return s
}

func joinConstraints(kids []Constraint, op string) string {
	parts := make([]string, len(kids))
	for i, k := range kids {
		parts[i] = k.String()
	}
	return strings.Join(parts, op)
}
