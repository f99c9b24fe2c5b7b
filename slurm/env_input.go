package slurm

// environment sets the options that variables such as SBATCH_PARTITION stand
// for. An option without an argument is switched on by an empty value, "yes" or
// a number other than zero, and left alone by anything else.
func (r *optionReader) environment() error {
	if r.in.Env == nil {
		return nil
	}
	for _, row := range r.table.rows {
		for _, name := range row.env.of(r.cmd) {
			value, ok := r.in.env(name)
			if !ok || !row.heeds(value) {
				continue
			}
			s := setting{row: row, value: value, has: row.arg != OptionalArg || value != "", source: FromEnvironment}
			if row.arg == NoArg && row.name() != "verbose" {
				s.value, s.has = "", false
			}
			if err := r.apply(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// heeds reports whether a variable with that value switches the option on.
func (row *optionRow) heeds(value string) bool {
	if row.arg != NoArg || row.name() == "verbose" {
		return true
	}
	return truthy(value)
}
