package slurm

import "strings"

// Completions lists the long options of a table that begin as query does, one
// a line: what --autocomplete=QUERY prints for a shell's completion. One that
// takes a value ends in "=". The dashes of the query may be left out.
func Completions(table []OptionSpec, query string) string {
	var b strings.Builder
	query = strings.TrimLeft(query, "-")
	for i := range table {
		for _, name := range table[i].Names {
			if name == "autocomplete" || !strings.HasPrefix(name, query) {
				continue
			}
			b.WriteString("--" + name)
			if table[i].Arg == RequiredArg {
				b.WriteByte('=')
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}
