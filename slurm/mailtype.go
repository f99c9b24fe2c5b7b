package slurm

import "strings"

// mailTypes are the events that can send mail, in the order in which scontrol
// shows them; the marked ones are what ALL stands for.
var mailTypes = []struct {
	name string
	all  bool
}{
	{"ARRAY_TASKS", false}, {"INVALID_DEPEND", true}, {"BEGIN", true}, {"END", true}, {"FAIL", true}, {"REQUEUE", true},
	{"STAGE_OUT", true}, {"TIME_LIMIT_50", false}, {"TIME_LIMIT_80", false}, {"TIME_LIMIT_90", false}, {"TIME_LIMIT", false},
}

// ParseMailTypes reads events separated by commas, in any case of letters, and
// returns their names in Slurm's order, once each and with ALL resolved. NONE
// among them makes it no events at all.
func ParseMailTypes(s string) ([]string, error) {
	on := make([]bool, len(mailTypes))
	none := false
	for word := range strings.SplitSeq(s, ",") {
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		known := strings.EqualFold(word, "ALL")
		if strings.EqualFold(word, "NONE") {
			known, none = true, true
		}
		for i, m := range mailTypes {
			if strings.EqualFold(word, m.name) || m.all && strings.EqualFold(word, "ALL") {
				on[i], known = true, true
			}
		}
		if !known {
			return nil, &SyntaxError{Input: s, What: "a list of mail types", Why: quote(word) +
				" (want NONE, ALL, BEGIN, END, FAIL, REQUEUE, INVALID_DEPEND, STAGE_OUT, TIME_LIMIT[_90|_80|_50] or ARRAY_TASKS)"}
		}
	}
	var out []string
	for i, m := range mailTypes {
		if on[i] && !none {
			out = append(out, m.name)
		}
	}
	return out, nil
}
