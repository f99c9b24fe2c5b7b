package slurm

import (
	"slices"
	"strings"
)

// optionRow is one option of sbatch, salloc and srun: how it is spelled, which
// variables stand for it, and what it does.
type optionRow struct {
	names string // long names separated by blanks, the canonical one first
	as    string // the canonical name, when the row is an old spelling of another
	short string // the letter, "" for none
	arg   ArgKind
	cmds  Command
	env   envNames
	tier  int8 // 1 everyone uses it, 2 power users, 3 rare, 0: for plugins that hardly exist
	// once: the value holds for one component of a heterogeneous job. The
	// other options go on holding for the components that follow.
	once bool
	own  bool // the command acts on it by itself; it is no part of the job
	// idle says why the option changes nothing here; "": it does.
	idle string
	// set acts on a value. has is false when the option was given without one.
	set func(r *optionReader, value string, has bool) error
}

// envNames are the environment variables of an option for each command,
// separated by blanks; of several that are set, the last counts.
type envNames struct{ sbatch, salloc, srun string }

// env3 names the variables of an option by their usual scheme.
func env3(suffix string) envNames {
	return envNames{"SBATCH_" + suffix, "SALLOC_" + suffix, "SLURM_" + suffix}
}

// envSrun names the variable of an option that only srun reads one for.
func envSrun(names string) envNames { return envNames{srun: names} }

func (e envNames) of(c Command) []string {
	switch c {
	case Sbatch:
		return strings.Fields(e.sbatch)
	case Salloc:
		return strings.Fields(e.salloc)
	}
	return strings.Fields(e.srun)
}

// name returns the canonical long name.
func (row *optionRow) name() string {
	if row.as != "" {
		return row.as
	}
	name, _, _ := strings.Cut(row.names, " ")
	return name
}

// optionTable is a command's share of the rows and the getopt table made of
// it: specs[i] describes rows[i].
type optionTable struct {
	specs []OptionSpec
	rows  []*optionRow
}

// optionsOf returns the options of a command, in the order in which Slurm's
// getopt knows them, which its list of possibilities shows.
func optionsOf(c Command) *optionTable {
	type keyed struct {
		key string
		row *optionRow
	}
	var rows []keyed
	for _, group := range [][]optionRow{jobRows(), sizeRows(), placeRows(), fileRows(), clientRows(), stepRows()} {
		for i := range group {
			if row := &group[i]; row.cmds&c != 0 {
				rows = append(rows, keyed{row.key(), row})
			}
		}
	}
	slices.SortStableFunc(rows, func(a, b keyed) int { return strings.Compare(a.key, b.key) })
	t := &optionTable{rows: make([]*optionRow, 0, len(rows)), specs: make([]OptionSpec, 0, len(rows))}
	for _, k := range rows {
		row := k.row
		t.rows = append(t.rows, row)
		spec := OptionSpec{Names: strings.Fields(row.names), Arg: row.arg}
		if row.short != "" {
			spec.Short = row.short[0]
		}
		t.specs = append(t.specs, spec)
	}
	return t
}

// key places a row: by its first name, with the exceptions of Slurm's table.
func (row *optionRow) key() string {
	name, _, _ := strings.Cut(row.names, " ")
	switch name {
	case "bb", "bbf":
		return "bu" + name
	case "cluster-constraint":
		return "ca"
	case "constraint":
		return "contiguous~"
	case "jobid":
		return "ja"
	case "threads":
		return "ta"
	case "usage":
		return "use-min-nodes~"
	}
	return name
}

// row finds the row of an option that Getopt found in specs.
func (t *optionTable) row(spec *OptionSpec) *optionRow {
	for i := range t.specs {
		if &t.specs[i] == spec {
			return t.rows[i]
		}
	}
	return nil
}

// whyUnacted is said of what is read and kept, and not acted on yet.
const whyUnacted = "this release does not act on it"
