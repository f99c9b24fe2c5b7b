package slurm

// ConfKey is a key of slurm.conf as a manual tells of it.
type ConfKey struct {
	Name, Default string
	Verdict       Verdict
	Why           string // why it is not acted on
}

// ConfKeys lists the keys of slurm.conf that stand alone, in the order of their
// names.
func ConfKeys() []ConfKey {
	var out []ConfKey
	for _, k := range confKeys() {
		c := ConfKey{Name: k.name, Default: k.def, Verdict: k.verdict, Why: k.why}
		if why := unacted[k.name]; why != "" {
			c.Verdict, c.Why = Ignored, why
		}
		out = append(out, c)
	}
	return out
}
