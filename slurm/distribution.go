package slurm

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Distribution is how tasks are laid out over nodes, sockets and cores. A word
// that is "" leaves the choice to the cluster; the zero value leaves all of it.
type Distribution struct {
	Nodes   string // block, cyclic, plane, arbitrary
	Plane   int    // tasks in a plane, when Nodes is plane
	Sockets string // block, cyclic, fcyclic
	Cores   string // block, cyclic, fcyclic
	Pack    string // Pack or NoPack
}

// ReadDistribution reads nodes[:sockets[:cores]][,Pack|NoPack], in any case of
// letters; nodes is block, cyclic, plane=N, arbitrary or *, the others block,
// cyclic, fcyclic or *, and Pack or NoPack may stand alone.
func ReadDistribution(s string) (Distribution, error) {
	refuse := func(why string) (Distribution, error) {
		return Distribution{}, &SyntaxError{Input: s, What: "a task distribution", Why: why, Code: ErrnoBadDist}
	}
	var d Distribution
	layout, pack, more := strings.Cut(s, ",")
	if word, ok := packWord(layout); ok && !more {
		d.Pack = word
		return d, nil
	}
	if pack != "" {
		var ok bool
		if d.Pack, ok = packWord(pack); !ok {
			return refuse(fmt.Sprintf("%q (want Pack or NoPack)", pack))
		}
	}
	parts := strings.Split(strings.ToLower(layout), ":")
	if len(parts) > 3 || layout == "" {
		return refuse("want nodes[:sockets[:cores]]")
	}
	for i, p := range parts {
		if p == "*" || p == "" {
			continue
		}
		switch {
		case i == 0 && (p == "block" || p == "cyclic" || p == "arbitrary"):
			d.Nodes = p
		case i == 0 && strings.HasPrefix(p, "plane="):
			n, ok := parseUint(p[len("plane="):], math.MaxInt32)
			if !ok || n == 0 || len(parts) > 1 {
				return refuse(fmt.Sprintf("%q (want plane=size alone)", layout))
			}
			d.Nodes, d.Plane = "plane", int(n)
		case i == 1 && (p == "block" || p == "cyclic" || p == "fcyclic"):
			d.Sockets = p
		case i == 2 && (p == "block" || p == "cyclic" || p == "fcyclic"):
			d.Cores = p
		default:
			return refuse(fmt.Sprintf("%q", p))
		}
	}
	return d, nil
}

func packWord(s string) (string, bool) {
	for _, w := range []string{"Pack", "NoPack"} {
		if strings.EqualFold(s, w) {
			return w, true
		}
	}
	return "", false
}

// ParseDistribution checks a distribution and returns it in its shortest form.
func ParseDistribution(s string) (string, error) {
	d, err := ReadDistribution(s)
	return d.String(), err
}

// String prints the distribution so that ReadDistribution reads it back.
func (d Distribution) String() string {
	words := []string{d.Nodes, d.Sockets, d.Cores}
	for i, w := range words {
		if w == "" {
			words[i] = "*"
		}
	}
	switch {
	case d.Cores == "" && d.Sockets == "":
		words = words[:1]
	case d.Cores == "":
		words = words[:2]
	}
	s := strings.Join(words, ":")
	if d.Nodes == "plane" {
		s = "plane=" + strconv.Itoa(d.Plane)
	}
	if d.Pack == "" {
		return s
	}
	if s == "*" {
		return d.Pack
	}
	return s + "," + d.Pack
}
