package slurm

import (
	"fmt"
	"strings"
)

// ConfFacts are what scontrol show config prints beside the file.
type ConfFacts struct {
	BootTime  string // when the controller started, as it is to be printed
	NextJobID uint32
	ConfPath  string
	Version   string // Slurm's version that the commands speak for
	// UID finds the number of a user, for SlurmUser; nil or false: not printed.
	UID func(name string) (uint32, bool)
}

// ConfLine is one line of scontrol show config.
type ConfLine struct{ Key, Value string }

// String prints the line with the column of equals signs Slurm has.
func (l ConfLine) String() string { return fmt.Sprintf("%-23s = %s", l.Key, l.Value) }

// Show returns the keys and the values in force, in the order and the form of
// scontrol show config; keys that listing does not know follow where they stand
// in the alphabet, if the file has them.
func (c *Conf) Show(f ConfFacts) []ConfLine {
	var out []ConfLine
	add := func(key, value string) { out = append(out, ConfLine{Key: key, Value: value}) }
	user := func(name string) string {
		if f.UID != nil {
			if n, ok := f.UID(name); ok {
				return fmt.Sprintf("%s(%d)", name, n)
			}
		}
		return name
	}
	for _, k := range confKeys() {
		switch k.name {
		case "SlurmctldHost":
			for i, h := range c.SlurmctldHost {
				add(fmt.Sprintf("SlurmctldHost[%d]", i), h.String())
			}
			continue
		case "SlurmUser", "SlurmdUser":
			add(k.name, user(k.show(c)))
			continue
		}
		_, given := c.Value(k.name)
		if k.unlisted && !given || k.when != nil && !k.when(c) {
			continue
		}
		add(k.name, c.shown(&k))
		for _, fact := range factsBehind[k.name] {
			add(fact, f.text(fact))
		}
	}
	return out
}

// shown is the value of a key as the listing prints it.
func (c *Conf) shown(k *confKey) string {
	if k.show != nil {
		return k.show(c)
	}
	if v, ok := c.Value(k.name); ok {
		return v
	}
	if k.name == "MaxNodeCount" {
		return fmt.Sprint(len(c.Nodes))
	}
	return orNull(k.def)
}

// factsBehind are the lines that stand behind a key without being one.
var factsBehind = map[string][]string{
	"BcastParameters":                {"BOOT_TIME"},
	"GroupUpdateTime":                {"HASH_VAL"},
	"MpiParams":                      {"MULTIPLE_SLURMD", "NEXT_JOB_ID"},
	"KillWait":                       nil,
	"SlurmctldPlugstack":             {"SLURM_CONF", "SLURM_VERSION"},
	"JobCredentialPublicCertificate": {"JobDefaults"},
}

func (f *ConfFacts) text(name string) string {
	switch name {
	case "BOOT_TIME":
		return orNull(f.BootTime)
	case "HASH_VAL":
		return "Match"
	case "MULTIPLE_SLURMD":
		return "Yes"
	case "NEXT_JOB_ID":
		return fmt.Sprint(f.NextJobID)
	case "SLURM_CONF":
		return orNull(f.ConfPath)
	case "SLURM_VERSION":
		return f.Version
	}
	return "(null)"
}

// CheckText prints reports as rinkctld --check shows them: what is refused and
// ignored, each with its place and reason, and how many keys are honoured.
func CheckText(reports []KeyReport) string {
	var b strings.Builder
	honoured := 0
	for _, v := range []Verdict{Refused, Ignored} {
		for _, k := range reports {
			if k.Verdict == v {
				b.WriteString(k.String() + "\n")
			}
		}
	}
	for _, k := range reports {
		if k.Verdict == Honoured {
			honoured++
		}
	}
	fmt.Fprintf(&b, "%d of %d keys are honoured\n", honoured, len(reports))
	return b.String()
}
