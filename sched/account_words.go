package sched

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/runink/rink/slurm"
)

// AccountWord is one KEY=VALUE of a change of the accounts, its key spelled out
// ("GrpTRES") and Op one of "=", "+=" and "-=".
type AccountWord struct{ Key, Op, Value string }

// WordKind is what a word's value has to be.
type WordKind uint8

// The kinds of values.
const (
	WordText   WordKind = iota
	WordCount           // a number, -1 for none
	WordTRES            // kind=amount pairs, an amount of -1 for none
	WordWall            // a time, -1 for none
	WordShares          // a number or "parent"
	WordFloat           // a number with a fraction, -1 for none
	WordQOS             // names of QOS, with signs perhaps
	WordFlags           // words out of a list
)

// WordDef is a word that a change may have.
type WordDef struct {
	Name   string // as Slurm writes it in full
	Min    int    // so many letters of it are enough
	Kind   WordKind
	Column string // what the list of transactions calls it
	// Inherited says that what is below an account and has none of its own has its.
	Inherited bool
	// TRES, when not empty, is the one kind that a count is of: GrpCPUs=4 is
	// GrpTRES=cpu=4; the limit is then Of's.
	TRES, Of string
}

// fits reports whether a person's word means this one: a beginning of its name,
// long enough to be told from others.
func (w *WordDef) fits(word string) bool {
	return len(word) >= w.Min && len(word) <= len(w.Name) && strings.EqualFold(w.Name[:len(word)], word)
}

// assocWords are the words of an association's limits, in the order in which they
// are looked at.
var assocWords = []WordDef{
	{Name: "DefaultQOS", Min: 8, Column: "def_qos_id", Inherited: true},
	{Name: "FairShare", Min: 1, Kind: WordShares, Column: "shares"}, {Name: "Shares", Min: 1, Kind: WordShares, Column: "shares"},
	{Name: "GrpCPUMins", Min: 7, Kind: WordCount, TRES: "cpu", Of: "GrpTRESMins"},
	{Name: "GrpCPURunMins", Min: 7, Kind: WordCount, TRES: "cpu", Of: "GrpTRESRunMins"},
	{Name: "GrpCPUs", Min: 7, Kind: WordCount, TRES: "cpu", Of: "GrpTRES"},
	{Name: "GrpJobs", Min: 4, Kind: WordCount, Column: "grp_jobs"},
	{Name: "GrpJobsAccrue", Min: 8, Kind: WordCount, Column: "grp_jobs_accrue"},
	{Name: "GrpMemory", Min: 4, Kind: WordCount, TRES: "mem", Of: "GrpTRES"},
	{Name: "GrpNodes", Min: 4, Kind: WordCount, TRES: "node", Of: "GrpTRES"},
	{Name: "GrpSubmitJobs", Min: 4, Kind: WordCount, Column: "grp_submit_jobs"},
	{Name: "GrpTRES", Min: 7, Kind: WordTRES, Column: "grp_tres"},
	{Name: "GrpTRESMins", Min: 8, Kind: WordTRES, Column: "grp_tres_mins"},
	{Name: "GrpTRESRunMins", Min: 8, Kind: WordTRES, Column: "grp_tres_run_mins"},
	{Name: "GrpWall", Min: 4, Kind: WordWall, Column: "grp_wall"},
	{Name: "MaxCPUMinsPerJob", Min: 7, Kind: WordCount, TRES: "cpu", Of: "MaxTRESMinsPerJob", Inherited: true},
	{Name: "MaxCPUsPerJob", Min: 7, Kind: WordCount, TRES: "cpu", Of: "MaxTRESPerJob", Inherited: true},
	{Name: "MaxJobs", Min: 4, Kind: WordCount, Column: "max_jobs", Inherited: true},
	{Name: "MaxJobsAccrue", Min: 8, Kind: WordCount, Column: "max_jobs_accrue", Inherited: true},
	{Name: "MaxNodesPerJob", Min: 4, Kind: WordCount, TRES: "node", Of: "MaxTRESPerJob", Inherited: true},
	{Name: "MaxSubmitJobs", Min: 4, Kind: WordCount, Column: "max_submit_jobs", Inherited: true},
	{Name: "MaxTRESPerJob", Min: 7, Kind: WordTRES, Column: "max_tres_pj", Inherited: true},
	{Name: "MaxTRESPJ", Min: 9, Kind: WordTRES, Column: "max_tres_pj", Inherited: true},
	{Name: "MaxTRESPerNode", Min: 11, Kind: WordTRES, Column: "max_tres_pn", Inherited: true},
	{Name: "MaxTRESPN", Min: 9, Kind: WordTRES, Column: "max_tres_pn", Inherited: true},
	{Name: "MaxTRESMinsPerJob", Min: 8, Kind: WordTRES, Column: "max_tres_mins_pj", Inherited: true},
	{Name: "MaxTRESMinsPJ", Min: 8, Kind: WordTRES, Column: "max_tres_mins_pj", Inherited: true},
	{Name: "MaxTRESRunMins", Min: 8, Kind: WordTRES, Column: "max_tres_run_mins", Inherited: true},
	{Name: "MaxWallDurationPerJob", Min: 4, Kind: WordWall, Column: "max_wall_pj", Inherited: true},
	{Name: "MinPrioThreshold", Min: 4, Kind: WordCount, Column: "min_prio_thresh", Inherited: true},
	{Name: "Parent", Min: 2, Column: "parent_acct"}, {Name: "ParentName", Min: 7, Column: "parent_acct"}, {Name: "ParentAccount", Min: 7, Column: "parent_acct"},
	{Name: "Priority", Min: 3, Kind: WordCount, Column: "priority", Inherited: true},
	{Name: "QosLevel", Min: 1, Kind: WordQOS, Column: "qos", Inherited: true},
	{Name: "Comment", Min: 3, Column: "comment"},
}

// qosWords are the words of a QOS.
var qosWords = []WordDef{
	{Name: "Description", Min: 1, Column: "description"},
	{Name: "Flags", Min: 2, Kind: WordFlags, Column: "flags"},
	{Name: "GraceTime", Min: 3, Kind: WordCount, Column: "grace_time"},
	{Name: "GrpCPUMins", Min: 7, Kind: WordCount, TRES: "cpu", Of: "GrpTRESMins"},
	{Name: "GrpCPURunMins", Min: 7, Kind: WordCount, TRES: "cpu", Of: "GrpTRESRunMins"},
	{Name: "GrpCPUs", Min: 7, Kind: WordCount, TRES: "cpu", Of: "GrpTRES"},
	{Name: "GrpJobs", Min: 4, Kind: WordCount, Column: "grp_jobs"},
	{Name: "GrpJobsAccrue", Min: 8, Kind: WordCount, Column: "grp_jobs_accrue"},
	{Name: "GrpMemory", Min: 4, Kind: WordCount, TRES: "mem", Of: "GrpTRES"},
	{Name: "GrpNodes", Min: 4, Kind: WordCount, TRES: "node", Of: "GrpTRES"},
	{Name: "GrpSubmitJobs", Min: 4, Kind: WordCount, Column: "grp_submit_jobs"},
	{Name: "GrpTRES", Min: 7, Kind: WordTRES, Column: "grp_tres"},
	{Name: "GrpTRESMins", Min: 8, Kind: WordTRES, Column: "grp_tres_mins"},
	{Name: "GrpTRESRunMins", Min: 8, Kind: WordTRES, Column: "grp_tres_run_mins"},
	{Name: "GrpWall", Min: 4, Kind: WordWall, Column: "grp_wall"},
	{Name: "LimitFactor", Min: 6, Kind: WordFloat, Column: "limit_factor"},
	{Name: "MaxCPUMinsPerJob", Min: 7, Kind: WordCount, TRES: "cpu", Of: "MaxTRESMinsPerJob"},
	{Name: "MaxCPURunMinsPerUser", Min: 7, Kind: WordCount, TRES: "cpu", Of: "MaxTRESRunMinsPerUser"},
	{Name: "MaxCPURunMinsPU", Min: 15, Kind: WordCount, TRES: "cpu", Of: "MaxTRESRunMinsPerUser"},
	{Name: "MaxCPUsPerUser", Min: 11, Kind: WordCount, TRES: "cpu", Of: "MaxTRESPerUser"},
	{Name: "MaxCPUsPU", Min: 9, Kind: WordCount, TRES: "cpu", Of: "MaxTRESPerUser"},
	{Name: "MaxCPUsPerJob", Min: 7, Kind: WordCount, TRES: "cpu", Of: "MaxTRESPerJob"},
	{Name: "MaxJobsAccruePerAccount", Min: 17, Kind: WordCount, Column: "max_jobs_accrue_pa"},
	{Name: "MaxJobsAccruePA", Min: 15, Kind: WordCount, Column: "max_jobs_accrue_pa"},
	{Name: "MaxJobsAccruePerUser", Min: 8, Kind: WordCount, Column: "max_jobs_accrue_pu"},
	{Name: "MaxJobsAccruePU", Min: 15, Kind: WordCount, Column: "max_jobs_accrue_pu"},
	{Name: "MaxJobsPerAccount", Min: 11, Kind: WordCount, Column: "max_jobs_pa"},
	{Name: "MaxJobsPA", Min: 9, Kind: WordCount, Column: "max_jobs_pa"},
	{Name: "MaxJobsPerUser", Min: 4, Kind: WordCount, Column: "max_jobs_per_user"},
	{Name: "MaxJobsPU", Min: 9, Kind: WordCount, Column: "max_jobs_per_user"},
	{Name: "MaxNodesPerUser", Min: 12, Kind: WordCount, TRES: "node", Of: "MaxTRESPerUser"},
	{Name: "MaxNodesPU", Min: 10, Kind: WordCount, TRES: "node", Of: "MaxTRESPerUser"},
	{Name: "MaxNodesPerJob", Min: 4, Kind: WordCount, TRES: "node", Of: "MaxTRESPerJob"},
	{Name: "MaxSubmitJobsPerAccount", Min: 17, Kind: WordCount, Column: "max_submit_jobs_pa"},
	{Name: "MaxSubmitJobsPA", Min: 15, Kind: WordCount, Column: "max_submit_jobs_pa"},
	{Name: "MaxSubmitPA", Min: 11, Kind: WordCount, Column: "max_submit_jobs_pa"},
	{Name: "MaxSubmitJobsPerUser", Min: 4, Kind: WordCount, Column: "max_submit_jobs_per_user"},
	{Name: "MaxSubmitJobsPU", Min: 15, Kind: WordCount, Column: "max_submit_jobs_per_user"},
	{Name: "MaxSubmitPU", Min: 11, Kind: WordCount, Column: "max_submit_jobs_per_user"},
	{Name: "MaxTRESPerAccount", Min: 11, Kind: WordTRES, Column: "max_tres_pa"},
	{Name: "MaxTRESPA", Min: 9, Kind: WordTRES, Column: "max_tres_pa"},
	{Name: "MaxTRESPerNode", Min: 11, Kind: WordTRES, Column: "max_tres_pn"},
	{Name: "MaxTRESPN", Min: 9, Kind: WordTRES, Column: "max_tres_pn"},
	{Name: "MaxTRESPerUser", Min: 11, Kind: WordTRES, Column: "max_tres_pu"},
	{Name: "MaxTRESPU", Min: 9, Kind: WordTRES, Column: "max_tres_pu"},
	{Name: "MaxTRESPerJob", Min: 7, Kind: WordTRES, Column: "max_tres_pj"},
	{Name: "MaxTRESPJ", Min: 9, Kind: WordTRES, Column: "max_tres_pj"},
	{Name: "MaxTRESMinsPerJob", Min: 8, Kind: WordTRES, Column: "max_tres_mins_pj"},
	{Name: "MaxTRESMinsPJ", Min: 8, Kind: WordTRES, Column: "max_tres_mins_pj"},
	{Name: "MaxTRESRunMinsPerAccount", Min: 18, Kind: WordTRES, Column: "max_tres_run_mins_pa"},
	{Name: "MaxTRESRunMinsPA", Min: 16, Kind: WordTRES, Column: "max_tres_run_mins_pa"},
	{Name: "MaxTRESRunMinsPerUser", Min: 8, Kind: WordTRES, Column: "max_tres_run_mins_pu"},
	{Name: "MaxTRESRunMinsPU", Min: 8, Kind: WordTRES, Column: "max_tres_run_mins_pu"},
	{Name: "MaxWallDurationPerJob", Min: 4, Kind: WordWall, Column: "max_wall_duration_per_job"},
	{Name: "MinCPUsPerJob", Min: 7, Kind: WordCount, TRES: "cpu", Of: "MinTRESPerJob"},
	{Name: "MinPrioThreshold", Min: 4, Kind: WordCount, Column: "min_prio_thresh"},
	{Name: "MinTRESPerJob", Min: 7, Kind: WordTRES, Column: "min_tres_pj"},
	{Name: "PreemptMode", Min: 8, Column: "preempt_mode"},
	{Name: "PreemptExemptTime", Min: 8, Kind: WordWall, Column: "preempt_exempt_time"},
	{Name: "Preempt", Min: 3, Kind: WordQOS, Column: "preempt"},
	{Name: "Priority", Min: 3, Kind: WordCount, Column: "priority"},
	{Name: "UsageFactor", Min: 6, Kind: WordFloat, Column: "usage_factor"},
	{Name: "UsageThreshold", Min: 6, Kind: WordFloat, Column: "usage_thres"},
}

// fullNames are the words that mean the same as another one.
var fullNames = map[string]string{
	"Shares": "FairShare", "MaxTRESPJ": "MaxTRESPerJob", "MaxTRESPN": "MaxTRESPerNode", "MaxTRESMinsPJ": "MaxTRESMinsPerJob",
	"ParentName": "Parent", "ParentAccount": "Parent", "MaxJobsAccruePA": "MaxJobsAccruePerAccount", "MaxJobsAccruePU": "MaxJobsAccruePerUser",
	"MaxJobsPA": "MaxJobsPerAccount", "MaxJobsPU": "MaxJobsPerUser", "MaxSubmitJobsPA": "MaxSubmitJobsPerAccount", "MaxSubmitPA": "MaxSubmitJobsPerAccount",
	"MaxSubmitJobsPU": "MaxSubmitJobsPerUser", "MaxSubmitPU": "MaxSubmitJobsPerUser", "MaxTRESPA": "MaxTRESPerAccount", "MaxTRESPU": "MaxTRESPerUser",
	"MaxTRESRunMinsPA": "MaxTRESRunMinsPerAccount", "MaxTRESRunMinsPU": "MaxTRESRunMinsPerUser",
}

// FindWord returns the definition of the word that a person wrote, of a QOS or of
// an association; nil when there is none.
func FindWord(qos bool, word string) *WordDef {
	list := assocWords
	if qos {
		list = qosWords
	}
	for i := range list {
		if list[i].fits(word) {
			w := list[i]
			if full := fullNames[w.Name]; full != "" {
				w.Name = full
			}
			return &w
		}
	}
	return nil
}

// QOSFlags are the flags of a QOS, in the order in which Slurm lists them.
var QOSFlags = []string{
	"DenyOnLimit", "EnforceUsageThreshold", "NoReserve", "PartitionMaxNodes", "PartitionMinNodes", "OverPartQOS",
	"PartitionTimeLimit", "RequiresReservation", "NoDecay", "UsageFactorSafe", "Relative",
}

// BadWord is a value that a word cannot have.
type BadWord struct {
	Word AccountWord
	// Text is what Slurm's command says of it.
	Text string
}

func (e *BadWord) Error() string { return e.Text }

// Unwrap returns Slurm's number for it.
func (e *BadWord) Unwrap() error { return slurm.ErrnoError }

func badWord(w AccountWord, text string, args ...any) error {
	return &BadWord{Word: w, Text: fmt.Sprintf(text, args...)}
}

// countField returns the number of l that a word names; nil when it names none.
func countField(l *Limits, name string) *int64 {
	switch name {
	case "GrpJobs":
		return &l.GrpJobs
	case "GrpJobsAccrue":
		return &l.GrpJobsAccrue
	case "GrpSubmitJobs":
		return &l.GrpSubmitJobs
	case "MaxJobs", "MaxJobsPerUser":
		return &l.MaxJobsPerUser
	case "MaxJobsAccrue", "MaxJobsAccruePerUser":
		return &l.MaxJobsAccruePerUser
	case "MaxSubmitJobs", "MaxSubmitJobsPerUser":
		return &l.MaxSubmitPerUser
	case "MaxJobsPerAccount":
		return &l.MaxJobsPerAccount
	case "MaxJobsAccruePerAccount":
		return &l.MaxJobsAccruePerAccount
	case "MaxSubmitJobsPerAccount":
		return &l.MaxSubmitPerAccount
	case "MinPrioThreshold":
		return &l.MinPrioThreshold
	case "Priority":
		return &l.Priority
	}
	return nil
}

// tresField returns the list of l that a word names; nil when it names none.
func tresField(l *Limits, name string) *slurm.TRES {
	switch name {
	case "GrpTRES":
		return &l.GrpTRES
	case "GrpTRESMins":
		return &l.GrpTRESMins
	case "GrpTRESRunMins":
		return &l.GrpTRESRunMins
	case "MaxTRESPerJob":
		return &l.MaxTRESPerJob
	case "MaxTRESPerNode":
		return &l.MaxTRESPerNode
	case "MaxTRESMinsPerJob":
		return &l.MaxTRESMinsPerJob
	case "MinTRESPerJob":
		return &l.MinTRESPerJob
	case "MaxTRESPerUser":
		return &l.MaxTRESPerUser
	case "MaxTRESRunMins", "MaxTRESRunMinsPerUser":
		return &l.MaxTRESRunMinsPerUser
	case "MaxTRESPerAccount":
		return &l.MaxTRESPerAccount
	case "MaxTRESRunMinsPerAccount":
		return &l.MaxTRESRunMinsPerAccount
	}
	return nil
}

// wallField returns the time of l that a word names; nil when it names none.
func wallField(l *Limits, name string) *slurm.Duration {
	switch name {
	case "GrpWall":
		return &l.GrpWall
	case "MaxWallDurationPerJob":
		return &l.MaxWall
	}
	return nil
}

// SetLimit changes in l what a word with that definition says. taken is false
// for words that name no limit.
func (a *Accounts) SetLimit(l *Limits, def *WordDef, w AccountWord) (taken bool, err error) {
	name := def.Name
	if def.TRES != "" {
		name = def.Of
	}
	switch {
	case def.TRES != "" || tresField(l, name) != nil:
		list, err := a.tresValue(def, w)
		if err != nil {
			return true, err
		}
		field := tresField(l, name)
		*field = a.mergeTRES(*field, list)
	case wallField(l, name) != nil:
		d, err := wallValue(def, w)
		if err != nil {
			return true, err
		}
		*wallField(l, name) = d
	case countField(l, name) != nil:
		n, err := countValue(def, w)
		if err != nil {
			return true, err
		}
		*countField(l, name) = n
	default:
		return false, nil
	}
	return true, nil
}

// Unset reports whether l does not bound what a word names, so that the parent's
// holds.
func (l *Limits) Unset(def *WordDef) bool {
	name := def.Name
	if def.TRES != "" {
		name = def.Of
	}
	if f := tresField(l, name); f != nil {
		return len(*f) == 0
	}
	if f := wallField(l, name); f != nil {
		return *f == 0
	}
	if f := countField(l, name); f != nil {
		return *f == NoLimit
	}
	return false
}

// countValue reads a number; -1 is NoLimit.
func countValue(def *WordDef, w AccountWord) (int64, error) {
	if w.Value == "-1" {
		return NoLimit, nil
	}
	n, err := strconv.ParseUint(w.Value, 10, 32)
	if err != nil || n >= 0xfffffffe {
		return 0, badWord(w, "Invalid value for %s (%s)", shortWord(def.Name), w.Value)
	}
	return int64(n), nil
}

// floatValue reads a number that may have a fraction; -1 is NoLimit.
func floatValue(def *WordDef, w AccountWord) (float64, error) {
	f, err := strconv.ParseFloat(w.Value, 64)
	if err != nil || f < 0 && f != -1 || f > 1e15 {
		return 0, badWord(w, "Invalid value for %s (%s)", def.Name, w.Value)
	}
	return f, nil
}

// wallValue reads a time; -1 is none, 0.
func wallValue(def *WordDef, w AccountWord) (slurm.Duration, error) {
	d, err := slurm.ParseDuration(w.Value)
	if err != nil {
		return 0, badWord(w, " Bad %s time format: %s%s%s", shortWord(def.Name), strings.ToLower(shortWord(def.Name)), w.Op, w.Value)
	}
	switch d {
	case slurm.Unlimited:
		return 0, nil
	case 0:
		return NoTime, nil
	}
	return d, nil
}

// shortWord is what Slurm's messages call a word whose name in full is longer.
func shortWord(name string) string {
	switch name {
	case "MaxWallDurationPerJob":
		return "MaxWall"
	case "MinPrioThreshold":
		return "MinPrioThresh"
	case "MaxCPUsPerJob":
		return "MaxCPUs"
	case "MaxJobsPerUser", "MaxSubmitJobsPerUser":
		return strings.TrimSuffix(name, "PerUser") + "PU"
	case "MaxJobsPerAccount", "MaxSubmitJobsPerAccount":
		return strings.TrimSuffix(name, "PerAccount") + "PA"
	}
	return name
}

// tresValue reads amounts of resources that are counted here.
func (a *Accounts) tresValue(def *WordDef, w AccountWord) (slurm.TRES, error) {
	text := w.Value
	if def.TRES != "" {
		if _, err := countValue(def, w); err != nil && def.TRES != "mem" {
			return nil, err
		}
		text = def.TRES + "=" + w.Value
	}
	for part := range strings.SplitSeq(text, ",") {
		key, _, ok := strings.Cut(part, "=")
		switch {
		case part == "":
		case !ok && strings.Trim(part, "0123456789") == "":
			return nil, badWord(w, "slurmdb_format_tres_str: no value given as TRES type/id.")
		case !ok:
			return nil, badWord(w, "slurmdb_format_tres_str: no TRES id found for %s", part)
		case !a.KnownTRES(key):
			return nil, badWord(w, "slurmdb_format_tres_str: no TRES known by type %s", key)
		case strings.HasSuffix(part, "="):
			return nil, badWord(w, "slurmdb_format_tres_str: no value given for TRES %s", part)
		default:
			// What follows a number is its unit.
			amount := part[len(key)+1:]
			if unit := strings.TrimLeft(strings.TrimPrefix(amount, "-"), "0123456789."); unit != "" && !strings.Contains("KMGTP", strings.ToUpper(unit[:1])) {
				return nil, badWord(w, "Invalid unit type '%s'. Possible options are 'KMGTP'", unit)
			}
		}
	}
	list, err := slurm.ParseTRES(text)
	if err != nil {
		return nil, badWord(w, "slurmdb_format_tres_str: no value given for TRES %s", text)
	}
	return list, nil
}

// mergeTRES puts new amounts in place of those of the same kind; -1 takes the kind
// away.
func (a *Accounts) mergeTRES(old, change slurm.TRES) slurm.TRES {
	out := slices.Clone(old)
	for _, item := range change {
		out = out.With(item.Key(), item.Count)
	}
	out = slices.DeleteFunc(out, func(item slurm.TRESItem) bool { return item.Count < 0 })
	if len(out) == 0 {
		return nil
	}
	return a.SortTRES(out)
}

// sharesValue reads FairShare: a number, or "parent".
func sharesValue(w AccountWord) (int64, error) {
	switch {
	case strings.EqualFold(w.Value, "parent"):
		return SharesParent, nil
	case w.Value == "-1":
		return 1, nil
	}
	n, err := strconv.ParseUint(w.Value, 10, 31)
	if err != nil {
		return 0, badWord(w, "Invalid value for FairShare (%s)", w.Value)
	}
	return int64(n), nil
}

// splitWords splits a list at commas and leaves out what is empty.
func splitWords(text string) []string {
	var out []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// qosChange is what a word says about a list of QOS: a new list, or names that
// are added and taken away.
type qosChange struct {
	whole bool
	names []string // of a whole list; with signs otherwise
}

// qosNames reads names of QOS that there are. Signs before names, or at the word
// itself, make it a change of what is there.
func (a *Accounts) qosNames(w AccountWord) (qosChange, error) {
	c := qosChange{whole: w.Op == "="}
	for _, name := range splitWords(w.Value) {
		sign := strings.TrimSuffix(w.Op, "=")
		if name[0] == '+' || name[0] == '-' {
			c.whole, sign, name = false, name[:1], name[1:]
		}
		name = strings.ToLower(name)
		if a.QOS[name] == nil {
			return c, badWord(w, "You gave a bad qos '%s'. Valid QOS's are %s", name, strings.Join(a.qosNamesByID(), ","))
		}
		c.names = append(c.names, sign+name)
	}
	if !c.whole {
		for i, name := range c.names {
			if name[0] != '+' && name[0] != '-' {
				c.names[i] = "+" + name
			}
		}
	}
	return c, nil
}

func (a *Accounts) qosNamesByID() []string {
	var names []string
	for _, q := range a.QOSList() {
		names = append(names, q.Name)
	}
	return names
}

// changeNames applies names with signs to a list; each name is there once.
func changeNames(list, signed []string) []string {
	out := slices.Clone(list)
	for _, w := range signed {
		out = slices.DeleteFunc(out, func(n string) bool { return strings.EqualFold(n, w[1:]) })
		if w[0] == '+' {
			out = append(out, w[1:])
		}
	}
	return out
}

// CheckWord says what is wrong with the value of a word, as far as that can be
// seen from what is counted and which QOS there are. word is as it was written.
func (a *Accounts) CheckWord(qos bool, w AccountWord, word string) error {
	def := FindWord(qos, w.Key)
	if def == nil {
		return badWord(w, " Unknown option: %s%s%s", word, w.Op, w.Value)
	}
	var err error
	switch {
	case def.Name == "DefaultQOS":
		if w.Value != "-1" && a.QOS[strings.ToLower(w.Value)] == nil {
			err = badWord(w, "You gave a bad default qos '%s'.  Use 'list qos' to get complete list.", w.Value)
		}
	case def.Name == "FairShare":
		_, err = sharesValue(w)
	case def.Kind == WordQOS:
		_, err = a.qosNames(w)
	case def.Kind == WordFlags:
		_, err = qosFlags(nil, w)
	case def.Name == "PreemptMode":
		if _, ok := preemptMode(w.Value); !ok {
			err = badWord(w, " Bad Preempt Mode given: %s%s%s", word, w.Op, w.Value)
		}
	case def.Kind == WordFloat:
		_, err = floatValue(def, w)
	case def.Kind == WordWall:
		if _, bad := wallValue(def, w); bad != nil {
			err = badWord(w, " Bad %s time format: %s%s%s", shortWord(def.Name), word, w.Op, w.Value)
		}
	case def.Kind == WordCount && def.TRES == "":
		_, err = countValue(def, w)
	default:
		l := NoLimits()
		_, err = a.SetLimit(&l, def, w)
	}
	return err
}
