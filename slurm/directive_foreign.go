package slurm

import (
	"slices"
	"strconv"
	"strings"
)

// meaning is what the words of #PBS or #BSUB lines come to.
type meaning struct {
	args     []string // options of sbatch
	umask    string
	noEffect []string // options that change nothing, with the reason
	notices  []Notice
}

func (m *meaning) say(option, value string) {
	m.args = append(m.args, "--"+option+"="+value)
}

func (m *meaning) ignored(what, why string) {
	m.noEffect = append(m.noEffect, what+" ("+why+")")
}

// pbsOptions and bsubOptions are the letters Slurm knows of the two languages.
var (
	pbsOptions  = letterTable("a:A:c:C:e:hIj:J:k:l:m:M:N:o:p:q:r:S:t:u:v:VW:z")
	bsubOptions = letterTable("c:e:J:m:M:n:o:q:W:x")
)

// letterTable makes a table of letters written as for getopt: a colon behind a
// letter means that it takes a value.
func letterTable(letters string) []OptionSpec {
	var table []OptionSpec
	for i := 0; i < len(letters); i++ {
		spec := OptionSpec{Short: letters[i]}
		if i+1 < len(letters) && letters[i+1] == ':' {
			spec.Arg = RequiredArg
			i++
		}
		table = append(table, spec)
	}
	return table
}

// translate turns the words of all lines of one foreign language into options
// of sbatch.
func translate(kind DirectiveKind, program string, words []string) (*meaning, error) {
	table := pbsOptions
	if kind == BSUBDirective {
		table = bsubOptions
		// LSF writes one long option, with one dash.
		for i, w := range words {
			if w == "-cwd" {
				words[i] = "-c"
			}
		}
	}
	opts, rest, err := Getopt(program, table, words, StopAtWord)
	if err != nil {
		e := err.(*OptionError)
		return nil, &OptionError{Exit: 1, Lines: []string{e.Lines[0], program + ": error: Unrecognized command line parameter ?"}}
	}
	if len(rest) > 0 {
		return nil, optionError(program, 1, "Invalid argument: %s", rest[0])
	}
	m := &meaning{}
	if kind == BSUBDirective {
		for _, o := range opts {
			m.bsub(o.Spec.Short, o.Value)
		}
		return m, nil
	}
	for _, o := range opts {
		m.pbs(o.Spec.Short, o.Value)
	}
	m.join(opts)
	return m, nil
}

// plain are the letters that are another option with the same value.
var (
	pbsPlain = map[byte]string{'A': "account", 'J': "array", 't': "array", 'M': "mail-user", 'N': "job-name",
		'e': "error", 'o': "output", 'p': "nice", 'q': "partition"}
	bsubPlain = map[byte]string{'J': "job-name", 'W': "time", 'c': "chdir", 'e': "error", 'o': "output", 'q': "partition"}
)

func (m *meaning) bsub(letter byte, value string) {
	if option, ok := bsubPlain[letter]; ok {
		m.say(option, value)
		return
	}
	switch letter {
	case 'm':
		m.say("nodelist", strings.Join(strings.Fields(value), ","))
	case 'M': // kilobytes
		if isNumber(value) {
			value += "K"
		}
		m.say("mem-per-cpu", value)
	case 'n': // least,most
		m.say("ntasks", value[strings.LastIndexByte(value, ',')+1:])
	case 'x':
		m.args = append(m.args, "--exclusive")
	}
}

func (m *meaning) pbs(letter byte, value string) {
	if option, ok := pbsPlain[letter]; ok {
		m.say(option, value)
		return
	}
	switch letter {
	case 'a':
		m.say("begin", pbsDate(value))
	case 'h':
		m.args = append(m.args, "--hold")
	case 'j', 'V':
		// join looks at -j; without -v all variables are exported anyway.
	case 'l':
		m.resources(value)
	case 'm':
		m.say("mail-type", pbsMail(value))
	case 'r':
		if strings.HasPrefix(strings.ToLower(value), "n") {
			m.args = append(m.args, "--no-requeue")
		} else {
			m.args = append(m.args, "--requeue")
		}
	case 'v':
		m.say("export", value)
	case 'W':
		m.attributes(value)
	default:
		m.ignored("#PBS -"+string(rune(letter)), "sbatch has nothing like it")
	}
}

// join does what -j asks: oe sends the errors to the output file, eo the output
// to the error file. Files are joined by default, so that one name must go. -V
// beside -v exports all variables and those.
func (m *meaning) join(opts []Option) {
	all := false
	how := ""
	for _, o := range opts {
		switch o.Spec.Short {
		case 'j':
			how = o.Value
		case 'V':
			all = true
		}
	}
	drop, keep := "", ""
	switch how {
	case "oe":
		drop = "--error="
	case "eo":
		drop, keep = "--output=", "--error="
	}
	if drop != "" {
		m.args = slices.DeleteFunc(m.args, func(a string) bool { return strings.HasPrefix(a, drop) })
	}
	for i, a := range m.args {
		if keep != "" && strings.HasPrefix(a, keep) {
			m.args[i] = "--output=" + a[len(keep):]
		}
		if rest, ok := strings.CutPrefix(a, "--export="); ok && all {
			m.args[i] = "--export=ALL," + rest
		}
	}
}

// attributes reads -W name=value[,name=value].
func (m *meaning) attributes(list string) {
	for _, item := range pbsAttributes(list) {
		name, value, _ := strings.Cut(item, "=")
		switch name {
		case "depend":
			m.say("dependency", value)
		case "umask":
			m.umask = value
		default:
			m.notices = append(m.notices, Notice{Text: "Ignored PBS attributes: " + item})
			m.ignored("#PBS -W "+item, "sbatch has nothing like it")
		}
	}
}

// pbsAttributes parts a list at the commas that a new name follows; a list of
// dependencies has commas of its own.
func pbsAttributes(list string) []string {
	var out []string
	for _, part := range strings.Split(list, ",") {
		if len(out) > 0 && !strings.Contains(part, "=") {
			out[len(out)-1] += "," + part
			continue
		}
		out = append(out, part)
	}
	return out
}

// resourceOptions are the names of -l that are another option with the same value.
var resourceOptions = map[string]string{"walltime": "time", "cput": "time", "pcput": "time", "mem": "mem", "file": "tmp",
	"nice": "nice", "ncpus": "mincpus", "proc": "constraint", "mppnodes": "nodelist"}

// resources reads -l name=value[,name=value].
func (m *meaning) resources(list string) {
	for _, item := range splitHosts(list) {
		name, value, _ := strings.Cut(item, "=")
		option, plain := resourceOptions[name]
		switch {
		case plain:
			m.say(option, value)
		case name == "nodes":
			m.nodes(value)
		case name == "select":
			m.chunks(value)
		case name == "accelerator" && strings.EqualFold(value, "true"):
			m.say("gres", "gpu:1")
		case name == "naccelerators" || name == "ngpus":
			m.say("gres", "gpu:"+value)
		default:
			m.ignored("#PBS -l "+item, "sbatch has nothing like it")
		}
	}
}

// nodes reads count|name[:ppn=tasks][:property] joined by plus signs.
func (m *meaning) nodes(value string) {
	count, tasks := 0, 0
	var names, properties []string
	for _, term := range strings.Split(value, "+") {
		parts := strings.Split(term, ":")
		here := 1
		if n, err := strconv.Atoi(parts[0]); err == nil {
			here = n
			count += n
		} else {
			names = append(names, parts[0])
		}
		for _, p := range parts[1:] {
			if ppn, ok := strings.CutPrefix(p, "ppn="); ok {
				if n, err := strconv.Atoi(ppn); err == nil && n > 0 {
					tasks += here * n
				}
			} else if !slices.Contains(properties, p) {
				properties = append(properties, p)
			}
		}
	}
	if len(names) > 0 {
		m.say("nodelist", strings.Join(names, ","))
		if count > 0 {
			count += len(names)
		}
	}
	if count > 0 {
		m.say("nodes", strconv.Itoa(count))
	}
	if tasks > 0 {
		m.say("ntasks", strconv.Itoa(tasks))
	}
	if len(properties) > 0 {
		m.say("constraint", strings.Join(properties, "&"))
	}
}

// chunks reads select=count[:ncpus=n][:mpiprocs=n][:mem=size][:ngpus=n], joined
// by plus signs; the counts add up, of the rest the last chunk's holds.
func (m *meaning) chunks(value string) {
	nodes := 0
	for _, chunk := range strings.Split(value, "+") {
		count, rest, _ := strings.Cut(chunk, ":")
		n, err := strconv.Atoi(count)
		if err != nil {
			n, rest = 1, chunk
		}
		nodes += n
		cpus, procs := 0, 0
		for _, p := range strings.Split(rest, ":") {
			name, v, _ := strings.Cut(p, "=")
			switch name {
			case "":
			case "ncpus":
				cpus, _ = strconv.Atoi(v)
				m.say("mincpus", v)
			case "mpiprocs":
				procs, _ = strconv.Atoi(v)
				m.say("ntasks-per-node", v)
			case "mem":
				m.say("mem", v)
			case "ngpus", "naccelerators":
				m.say("gres", "gpu:"+v)
			default:
				m.ignored("#PBS -l select="+p, "sbatch has nothing like it")
			}
		}
		if procs > 0 && cpus/procs > 0 {
			m.say("cpus-per-task", strconv.Itoa(cpus/procs))
		}
	}
	m.say("nodes", strconv.Itoa(nodes))
}

// pbsMail turns letters into the names of events. A letter that means nothing is
// kept, so that it is refused as sbatch refuses it.
func pbsMail(letters string) string {
	var out []string
	for _, c := range letters {
		switch c {
		case 'a':
			out = append(out, "FAIL")
		case 'b':
			out = append(out, "BEGIN")
		case 'e':
			out = append(out, "END")
		case 'n':
			return "NONE"
		default:
			out = append(out, string(c))
		}
	}
	return strings.Join(out, ",")
}

// pbsDate turns [[CC]YYMMDD]hhmm[.SS] and MMDDhhmm[.SS] into a date sbatch
// reads; anything else is left for it to judge.
func pbsDate(s string) string {
	date, seconds, hasSeconds := strings.Cut(s, ".")
	if !isNumber(date) || hasSeconds && (len(seconds) != 2 || !isNumber(seconds)) {
		return s
	}
	clock := func(d string) string {
		t := d[:2] + ":" + d[2:]
		if hasSeconds {
			t += ":" + seconds
		}
		return t
	}
	n := len(date)
	switch n {
	case 4:
		return clock(date)
	case 8:
		return date[:2] + "/" + date[2:4] + "-" + clock(date[4:])
	case 10, 12:
		return "20"[:12-n] + date[:n-8] + "-" + date[n-8:n-6] + "-" + date[n-6:n-4] + "T" + clock(date[n-4:])
	}
	return s
}
