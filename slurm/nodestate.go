package slurm

import (
	"fmt"
	"strings"
)

// NodeState is the state of a node: one base state, and flags beside it.
type NodeState uint32

// Base states.
const (
	NodeUnknown   NodeState = iota // not heard of since the controller began
	NodeDown                       // unusable
	NodeIdle                       // free
	NodeAllocated                  // fully allocated
	NodeError                      // in error
	NodeMixed                      // partly allocated
	NodeFuture                     // defined, not yet there
)

// Flags beside the base state.
const (
	NodeCloud           NodeState = 1 << (iota + 8) // comes and goes with power saving
	NodeCompleting                                  // jobs are ending on it
	NodeDrain                                       // takes no more work
	NodeDynamicFuture                               // registered itself for a FUTURE node
	NodeDynamicNorm                                 // registered itself
	NodeInvalidReg                                  // registered with less than configured
	NodeFail                                        // expected to fail: takes no more work
	NodeMaint                                       // in a maintenance reservation
	NodePowerDown                                   // power down asked for
	NodePowerUp                                     // power up asked for
	NodePoweredDown                                 // off
	NodeRebootRequested                             // reboot asked for
	NodeRebootIssued                                // reboot sent
	NodeReserved                                    // in a reservation
	NodeResume                                      // in updates alone: back to work
	NodeNotResponding                               // does not answer
	NodePoweringDown                                // shutting down
	NodePoweringUp                                  // booting
	NodePlanned                                     // kept by backfill for a job
	NodeBlocked                                     // kept free by a job with exclusive topology
	NodeExternal                                    // not run by this controller
	NodeUndrain                                     // in updates alone: takes work again
	NodeCancelReboot                                // in updates alone: do not reboot
)

const nodeBaseMask = 0xff

var nodeBases = [...]struct{ name, short string }{
	NodeUnknown: {"UNKNOWN", "UNK"}, NodeDown: {"DOWN", "DOWN"}, NodeIdle: {"IDLE", "IDLE"}, NodeAllocated: {"ALLOCATED", "ALLOC"},
	NodeError: {"ERROR", "ERR"}, NodeMixed: {"MIXED", "MIX"}, NodeFuture: {"FUTURE", "FUTR"},
}

// nodeFlags are the flags in the order of the complete form, each with the other
// words by which one can ask for it.
var nodeFlags = [...]struct {
	flag  NodeState
	name  string
	alias []string
}{
	{NodeCloud, "CLOUD", nil}, {NodeCompleting, "COMPLETING", []string{"COMP"}}, {NodeDrain, "DRAIN", nil},
	{NodeDynamicFuture, "DYNAMIC_FUTURE", nil}, {NodeDynamicNorm, "DYNAMIC_NORM", nil},
	{NodeInvalidReg, "INVALID_REG", []string{"INVAL"}}, {NodeFail, "FAIL", nil},
	{NodeMaint, "MAINTENANCE", []string{"MAINT"}}, {NodePowerDown, "POWER_DOWN", []string{"POW_DN"}},
	{NodePowerUp, "POWER_UP", []string{"POW_UP"}}, {NodePoweredDown, "POWERED_DOWN", []string{"POWERED_DN"}},
	{NodeRebootRequested, "REBOOT_REQUESTED", nil}, {NodeRebootIssued, "REBOOT_ISSUED", []string{"REBOOT^", "BOOT^"}},
	{NodeReserved, "RESERVED", []string{"RESV"}}, {NodeResume, "RESUME", []string{"RESM"}},
	{NodeNotResponding, "NOT_RESPONDING", []string{"NO_RESPOND", "NORESP", "NO_RESP"}},
	{NodePoweringDown, "POWERING_DOWN", []string{"POWRING_DN"}}, {NodePoweringUp, "POWERING_UP", nil},
	{NodePlanned, "PLANNED", []string{"PLND"}}, {NodeBlocked, "BLOCKED", []string{"BLOCK"}},
	{NodeExternal, "EXTERNAL", []string{"EXT"}}, {NodeUndrain, "UNDRAIN", nil},
	{NodeCancelReboot, "CANCEL_REBOOT", []string{"CANC_R"}},
}

// Base returns the state without its flags.
func (s NodeState) Base() NodeState { return s & nodeBaseMask }

// Flags returns the flags alone.
func (s NodeState) Flags() NodeState { return s &^ nodeBaseMask }

// Has reports whether all of these flags are set.
func (s NodeState) Has(flags NodeState) bool { return s&flags == flags }

// busy reports whether jobs run or end on the node.
func (s NodeState) busy() bool {
	return s.Has(NodeCompleting) || s.Base() == NodeAllocated || s.Base() == NodeMixed
}

// String prints the complete form, as scontrol show node does: the base state and
// all flags joined with +.
func (s NodeState) String() string {
	out := "?"
	if int(s.Base()) < len(nodeBases) {
		out = nodeBases[s.Base()].name
	}
	for _, f := range nodeFlags {
		if s.Has(f.flag) {
			out += "+" + f.name
		}
	}
	return out
}

// Long prints the state as sinfo's %T does, but in capitals: one word for what
// matters most, and one sign behind it.
func (s NodeState) Long() string { return s.show(false) }

// Short prints the state as sinfo's %t does, but in capitals.
func (s NodeState) Short() string { return s.show(true) }

// nodeSigns are the signs behind a state, of which the first that applies shows.
var nodeSigns = [...]struct {
	flag NodeState
	sign string
}{
	{NodeMaint, "$"}, {NodeRebootIssued, "^"}, {NodeRebootRequested, "@"}, {NodePoweringUp, "#"}, {NodePoweringDown, "%"},
	{NodePoweredDown, "~"}, {NodePowerDown, "!"}, {NodeNotResponding, "*"},
}

func (s NodeState) sign() string {
	for _, n := range nodeSigns {
		if s.Has(n.flag) {
			return n.sign
		}
	}
	return ""
}

func (s NodeState) show(short bool) string {
	word := func(long, brief string) string {
		if short {
			return brief
		}
		return long
	}
	star := ""
	if s.Has(NodeNotResponding) {
		star = "*"
	}
	base := s.Base()
	sign := s.sign()
	free := base == NodeIdle && !s.Has(NodeCompleting)
	switch {
	case s.Has(NodeInvalidReg):
		return "INVAL" + sign
	case s.Has(NodeMaint) && free && !s.Has(NodeDrain) && !s.Has(NodeFail):
		return "MAINT" + star
	case s.Has(NodeRebootIssued) && (free || base == NodeDown) && !s.Has(NodeDrain):
		return word("REBOOT^", "BOOT^")
	case s.Has(NodeRebootRequested) && free && !s.Has(NodeDrain):
		return word("REBOOT", "BOOT")
	case s.Has(NodeDrain) && s.busy():
		return word("DRAINING", "DRNG") + sign
	case s.Has(NodeDrain):
		return word("DRAINED", "DRAIN") + sign
	case s.Has(NodeFail) && (base == NodeAllocated || s.Has(NodeCompleting)): // not when only partly in use
		return word("FAILING", "FAILG") + star
	case s.Has(NodeFail):
		return "FAIL" + star
	case base == NodeAllocated && s.Has(NodeCompleting) && sign == "":
		return word("ALLOCATED", "ALLOC") + "+"
	case base == NodeIdle && s.Has(NodeCompleting):
		return word("COMPLETING", "COMP") + sign
	case base == NodeIdle && sign == "" && s.Has(NodeReserved):
		return word("RESERVED", "RESV")
	case base == NodeIdle && sign == "" && s.Has(NodePlanned):
		return word("PLANNED", "PLND")
	case base == NodeIdle && sign == "" && s.Has(NodeBlocked):
		return word("BLOCKED", "BLOCK")
	case base == NodeMixed && sign == "" && s.Has(NodePlanned):
		return word("MIXED", "MIX") + "-"
	case int(base) < len(nodeBases):
		return word(nodeBases[base].name, nodeBases[base].short) + sign
	}
	return "?"
}

// ParseNodeState reads the complete form, or one base state or flag by its long
// or short name, in any case of letters.
func ParseNodeState(s string) (NodeState, error) {
	var out NodeState
	based := false
	for part := range strings.SplitSeq(s, "+") {
		one, base, ok := nodeStateWord(part)
		if !ok || base && based {
			return 0, badNodeState(s)
		}
		based = based || base
		out |= one
	}
	return out, nil
}

func badNodeState(s string) error {
	return &SyntaxError{Input: s, What: "a node state", Why: "want one of " + strings.Join(NodeStateNames(), ","), Code: ErrnoInvalidNodeState}
}

func nodeStateWord(s string) (state NodeState, base, ok bool) {
	for i, b := range nodeBases {
		if strings.EqualFold(s, b.name) || strings.EqualFold(s, b.short) {
			return NodeState(i), true, true
		}
	}
	for _, f := range nodeFlags {
		if strings.EqualFold(s, f.name) {
			return f.flag, false, true
		}
		for _, a := range f.alias {
			if strings.EqualFold(s, a) {
				return f.flag, false, true
			}
		}
	}
	return 0, false, false
}

// NodeStateNames returns the states sinfo can be asked for, in lower case.
func NodeStateNames() []string {
	return []string{"unknown", "down", "idle", "allocated", "error", "mixed", "future", "drain", "drained", "draining", "fail",
		"failing", "no_respond", "reserved", "planned", "blocked", "cloud", "completing", "inval", "maint", "reboot", "reboot^",
		"power_up", "power_down", "powering_up", "powering_down", "powered_down"}
}

// nodeStatePrefix returns the first name of a state that begins with word.
func nodeStatePrefix(word string) (string, bool) {
	if word == "" {
		return "", false
	}
	for _, name := range NodeStateNames() {
		if strings.HasPrefix(name, word) {
			return name, true
		}
	}
	return "", false
}

// nodeTest is one word of a NodeStateFilter.
type nodeTest struct {
	not   bool
	word  string // drained, draining, failing or reboot; "" for the others
	state NodeState
	base  bool
}

// NodeStateFilter is a list of states as sinfo -t takes it.
type NodeStateFilter struct {
	any [][]nodeTest // a node matches when all tests of one of these hold
	all bool
}

// ParseNodeStates reads states separated by commas, of which a node must have
// one. States joined with & or + must hold together; ~ in front of one turns it
// round. "all" matches every node.
func ParseNodeStates(s string) (NodeStateFilter, error) {
	var f NodeStateFilter
	for item := range strings.SplitSeq(s, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		if strings.EqualFold(item, "all") {
			f.all = true
			continue
		}
		var tests []nodeTest
		for part := range strings.FieldsFuncSeq(item, func(r rune) bool { return r == '&' || r == '+' }) {
			var t nodeTest
			part, t.not = strings.CutPrefix(strings.TrimSpace(part), "~")
			switch word := strings.ToLower(part); word {
			case "drained", "draining", "failing", "reboot":
				t.word = word
			case "drng":
				t.word = "draining"
			case "failg":
				t.word = "failing"
			case "boot":
				t.word = "reboot"
			default:
				var ok bool
				if t.state, t.base, ok = nodeStateWord(part); !ok {
					if t.word, ok = nodeStatePrefix(word); !ok {
						return NodeStateFilter{}, badNodeState(part)
					}
					if t.state, t.base, ok = nodeStateWord(t.word); ok {
						t.word = ""
					}
				}
			}
			tests = append(tests, t)
		}
		if len(tests) == 0 {
			return NodeStateFilter{}, badNodeState(item)
		}
		f.any = append(f.any, tests)
	}
	return f, nil
}

// Match reports whether a node in that state is asked for. As in sinfo, what is
// partly in use counts as allocated, and of a node that is being drained not as
// mixed.
func (f NodeStateFilter) Match(s NodeState) bool {
	if f.all {
		return true
	}
	for _, tests := range f.any {
		ok := true
		for _, t := range tests {
			ok = ok && t.holds(s) != t.not
		}
		if ok {
			return true
		}
	}
	return false
}

func (t nodeTest) holds(s NodeState) bool {
	switch t.word {
	case "drained":
		return s.Has(NodeDrain) && !s.busy()
	case "draining":
		return s.Has(NodeDrain) && s.busy()
	case "failing":
		return s.Has(NodeFail) && s.busy()
	case "reboot":
		return s.Has(NodeRebootRequested) || s.Has(NodeRebootIssued)
	}
	if !t.base {
		return s.Has(t.state)
	}
	if s.Base() == NodeMixed {
		return t.state == NodeAllocated || t.state == NodeMixed && !s.Has(NodeDrain)
	}
	return s.Base() == t.state
}

// IsEmpty reports whether no state was named.
func (f NodeStateFilter) IsEmpty() bool { return !f.all && len(f.any) == 0 }

// MarshalText writes the complete form.
func (s NodeState) MarshalText() ([]byte, error) {
	if int(s.Base()) >= len(nodeBases) {
		return nil, fmt.Errorf("cannot write node state number %d: it has no name", uint32(s))
	}
	return []byte(s.String()), nil
}

// UnmarshalText reads what ParseNodeState reads.
func (s *NodeState) UnmarshalText(b []byte) (err error) {
	*s, err = ParseNodeState(string(b))
	return err
}
