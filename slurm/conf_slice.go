package slurm

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// SliceConf says how far the slices of jobs are shut off from the node and from
// each other. A partition may say it for itself, and a job may ask for more of
// it (Tighten). It is the same on a SliceX line of the configuration and as one
// text (String, ParseSliceConf).
type SliceConf struct {
	// Namespaces are those of pid, mount, net, uts, ipc, user and cgroup that a
	// slice gets for itself.
	Namespaces []string
	// PrivateTmp gives each job a /tmp, /var/tmp and /dev/shm of its own. TmpSize
	// has that /tmp in memory, of so many MB at most; 0 is on the node's disk.
	PrivateTmp bool
	TmpSize    MB
	ShmSize    MB // of the private /dev/shm; 0 is as much as the job's memory
	// Cgroup is yes, no or auto: auto uses cgroups where the node has them.
	Cgroup string
	// ReadOnly makes what a job sees of the node's files read-only but for its
	// private directories and Binds.
	ReadOnly bool
	Binds    []SliceBind
	// HideProcs keeps processes of others out of a job's /proc.
	HideProcs bool
	// Ephemeral gives a job a user id of its own out of UIDs. On disk, its files
	// are those of Account, or of the job's user when that is empty.
	Ephemeral bool
	Account   string
	UIDs      [2]uint32 // the first and the last
	// Net is host, none or private; a private network has an address out of
	// NetRange and reaches what NetAllow lists, or everything when it is empty.
	Net      string
	NetRange string
	NetAllow []NetAllow
	// NoNewPrivs keeps programs from gaining privileges, as by set-user-id.
	NoNewPrivs bool
	// Capabilities that what a job executes may have: all of them, or those
	// named.
	DropCaps bool
	KeepCaps []string
	// Seccomp is no, yes or containers.
	Seccomp string
	// Pids bounds the processes and threads of a job on a node; 0: no bound.
	Pids int
	// IOWeight is a job's share of the disks against others, 1 to 1000; 0: the
	// kernel's.
	IOWeight int
	// Devices is all, or basic: those that every program may expect, and what
	// the job was given.
	Devices string
}

// SliceBind is a directory that a job sees, at Target, and may write to unless
// ReadOnly.
type SliceBind struct {
	Source, Target string
	ReadOnly       bool
}

// NetAllow is a destination of a private network: addresses, and one TCP or UDP
// port of theirs or, with 0, all.
type NetAllow struct {
	To   string // ADDRESS/BITS, IPv4
	Port uint16
}

// DefaultSliceConf is what holds without a key.
func DefaultSliceConf() SliceConf {
	return SliceConf{Cgroup: "auto", UIDs: [2]uint32{61184, 65519}, Net: "host", NetRange: "100.96.0.0/12", Seccomp: "no", Devices: "all"}
}

// sliceKey is one SliceX key.
type sliceKey struct {
	name string // without Slice
	set  func(s *SliceConf, v string) error
	show func(s *SliceConf) string
}

func sliceFlag(name string, field func(*SliceConf) *bool) sliceKey {
	return sliceKey{name,
		func(s *SliceConf, v string) (err error) { *field(s), err = confFlag(v); return err },
		func(s *SliceConf) string { return yesOrNo(*field(s)) }}
}

func yesOrNo(b bool) string {
	if b {
		return "Yes"
	}
	return "No"
}

func sliceWord(name string, known []string, field func(*SliceConf) *string) sliceKey {
	return sliceKey{name,
		func(s *SliceConf, v string) error {
			if v = strings.ToLower(v); !slices.Contains(known, v) {
				return errorString(quote(v) + " is none of " + strings.Join(known, ", "))
			}
			*field(s) = v
			return nil
		},
		func(s *SliceConf) string { return *field(s) }}
}

func sliceCount(name string, least, most int, field func(*SliceConf) *int) sliceKey {
	return sliceKey{name,
		func(s *SliceConf, v string) (err error) { *field(s), err = confCount(v, least, most); return err },
		func(s *SliceConf) string { return strconv.Itoa(*field(s)) }}
}

var sliceNamespaces = []string{"pid", "mount", "net", "uts", "ipc", "user", "cgroup"}

// sliceKeys are the keys, in the order in which String writes them.
var sliceKeys = []sliceKey{
	{"Binds", setSliceBinds, func(s *SliceConf) string { return joined(s.Binds) }},
	{"Capabilities", setSliceCaps, func(s *SliceConf) string {
		switch {
		case !s.DropCaps:
			return "all"
		case len(s.KeepCaps) == 0:
			return "none"
		}
		return strings.Join(s.KeepCaps, ",")
	}},
	sliceWord("Cgroup", []string{"yes", "no", "auto"}, func(s *SliceConf) *string { return &s.Cgroup }),
	sliceWord("Devices", []string{"all", "basic"}, func(s *SliceConf) *string { return &s.Devices }),
	sliceFlag("HideProcs", func(s *SliceConf) *bool { return &s.HideProcs }),
	sliceCount("IOWeight", 0, 1000, func(s *SliceConf) *int { return &s.IOWeight }),
	{"Identity", setSliceIdentity, func(s *SliceConf) string {
		switch {
		case !s.Ephemeral:
			return "user"
		case s.Account == "":
			return "ephemeral"
		}
		return "ephemeral:" + s.Account
	}},
	{"Namespaces", func(s *SliceConf, v string) error {
		words, err := confWords(v, sliceNamespaces)
		if err == nil {
			s.Namespaces = words
		}
		return err
	}, func(s *SliceConf) string { return orNone(s.Namespaces) }},
	sliceWord("Net", []string{"host", "none", "private"}, func(s *SliceConf) *string { return &s.Net }),
	{"NetAllow", setSliceNetAllow, func(s *SliceConf) string {
		if len(s.NetAllow) == 0 {
			return "all"
		}
		return joined(s.NetAllow)
	}},
	{"NetRange", func(s *SliceConf, v string) error {
		addr, bits, ok := parseNet4(v)
		if !ok || bits > 28 || addr&(1<<(32-bits)-1) != 0 {
			return errorString(quote(v) + " is not a range of IPv4 addresses for at least four networks, such as 100.96.0.0/12")
		}
		s.NetRange = v
		return nil
	}, func(s *SliceConf) string { return s.NetRange }},
	sliceFlag("NoNewPrivs", func(s *SliceConf) *bool { return &s.NoNewPrivs }),
	sliceCount("Pids", 0, 1<<22, func(s *SliceConf) *int { return &s.Pids }),
	{"PrivateTmp", setSliceTmp, func(s *SliceConf) string {
		if s.PrivateTmp && s.TmpSize > 0 {
			return s.TmpSize.Raw()
		}
		return yesOrNo(s.PrivateTmp)
	}},
	sliceFlag("ReadOnly", func(s *SliceConf) *bool { return &s.ReadOnly }),
	sliceWord("Seccomp", []string{"no", "yes", "containers"}, func(s *SliceConf) *string { return &s.Seccomp }),
	{"ShmSize", func(s *SliceConf, v string) (err error) { s.ShmSize, err = sliceSize(v); return err },
		func(s *SliceConf) string { return s.ShmSize.Raw() }},
	{"UIDs", setSliceUIDs, func(s *SliceConf) string { return fmt.Sprintf("%d-%d", s.UIDs[0], s.UIDs[1]) }},
}

func joined[T fmt.Stringer](list []T) string {
	words := make([]string, len(list))
	for i, v := range list {
		words[i] = v.String()
	}
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ",")
}

// String is SOURCE, SOURCE:TARGET or either with :ro.
func (b SliceBind) String() string {
	out := b.Source
	if b.Target != b.Source {
		out += ":" + b.Target
	}
	if b.ReadOnly {
		out += ":ro"
	}
	return out
}

// String is ADDRESS[/BITS][:PORT].
func (a NetAllow) String() string {
	out := strings.TrimSuffix(a.To, "/32")
	if a.Port != 0 {
		out += ":" + strconv.Itoa(int(a.Port))
	}
	return out
}

func sliceSize(v string) (MB, error) {
	m, err := ParseMB(v)
	if err != nil {
		return 0, errorString(quote(v) + " is not a size, such as 512M or 4G")
	}
	return m, nil
}

func setSliceTmp(s *SliceConf, v string) error {
	on, err := confFlag(v)
	if err == nil {
		s.PrivateTmp, s.TmpSize = on, 0
		return nil
	}
	size, err := sliceSize(v)
	if err != nil || size <= 0 {
		return errorString(quote(v) + " is none of yes, no and a size, such as 4G")
	}
	s.PrivateTmp, s.TmpSize = true, size
	return nil
}

func setSliceBinds(s *SliceConf, v string) error {
	s.Binds = nil
	if strings.EqualFold(v, "none") {
		return nil
	}
	for _, item := range splitList(v) {
		parts := strings.Split(item, ":")
		b := SliceBind{}
		if n := len(parts); n > 1 && (parts[n-1] == "ro" || parts[n-1] == "rw") {
			b.ReadOnly, parts = parts[n-1] == "ro", parts[:n-1]
		}
		b.Source, b.Target = parts[0], parts[len(parts)-1]
		for _, p := range parts {
			if len(parts) > 2 || !path.IsAbs(p) || path.Clean(p) != p || strings.ContainsAny(p, ";\x00\n") || p == "/" {
				return errorString(quote(item) + " is not DIRECTORY[:WHERE][:ro], absolute paths without .. or a slash at the end")
			}
		}
		s.Binds = append(s.Binds, b)
	}
	return nil
}

// capabilityNames are what SliceCapabilities may name.
var capabilityNames = strings.Fields(`chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable
	net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin
	sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override mac_admin syslog
	wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore`)

func setSliceCaps(s *SliceConf, v string) error {
	s.DropCaps, s.KeepCaps = !strings.EqualFold(v, "all"), nil
	if strings.EqualFold(v, "all") || strings.EqualFold(v, "none") {
		return nil
	}
	for _, name := range splitList(strings.ToLower(v)) {
		name = strings.TrimPrefix(name, "cap_")
		if !slices.Contains(capabilityNames, name) {
			return errorString(quote(name) + " is not a capability (want all, none or a list such as net_bind_service,sys_nice)")
		}
		s.KeepCaps = append(s.KeepCaps, name)
	}
	return nil
}

func setSliceIdentity(s *SliceConf, v string) error {
	word, account, named := strings.Cut(v, ":")
	s.Ephemeral, s.Account = false, ""
	switch {
	case strings.EqualFold(word, "user") && !named:
		return nil
	case strings.EqualFold(word, "ephemeral") && (!named || account != "" && !strings.ContainsAny(account, ":;, \t")):
		s.Ephemeral, s.Account = true, account
		return nil
	}
	return errorString(quote(v) + " is none of user, ephemeral, ephemeral:ACCOUNT")
}

func setSliceNetAllow(s *SliceConf, v string) error {
	s.NetAllow = nil
	if strings.EqualFold(v, "all") {
		return nil
	}
	for _, item := range splitList(v) {
		var a NetAllow
		text, port, ported := strings.Cut(item, ":")
		if ported {
			n, ok := parseUint(port, 65535)
			if !ok || n == 0 {
				return errorString(quote(item) + " has no port behind its colon")
			}
			a.Port = uint16(n)
		}
		if !strings.Contains(text, "/") {
			text += "/32"
		}
		if _, _, ok := parseNet4(text); !ok {
			return errorString(quote(item) + " is not ADDRESS[/BITS][:PORT] of IPv4")
		}
		a.To = text
		s.NetAllow = append(s.NetAllow, a)
	}
	if len(s.NetAllow) == 0 {
		return errorString("it lists no address (want all, or ADDRESS[/BITS][:PORT],...)")
	}
	return nil
}

// parseNet4 reads a.b.c.d/bits.
func parseNet4(v string) (addr uint32, bits int, ok bool) {
	text, n, found := strings.Cut(v, "/")
	b, ok := parseUint(n, 32)
	parts := strings.Split(text, ".")
	if !found || !ok || len(parts) != 4 {
		return 0, 0, false
	}
	for _, p := range parts {
		d, ok := parseUint(p, 255)
		if !ok {
			return 0, 0, false
		}
		addr = addr<<8 | uint32(d)
	}
	return addr, int(b), true
}

func setSliceUIDs(s *SliceConf, v string) error {
	low, high, ok := strings.Cut(v, "-")
	a, ok1 := parseUint(low, 1<<32-2)
	b, ok2 := parseUint(high, 1<<32-2)
	if !ok || !ok1 || !ok2 || a == 0 || a > b {
		return errorString(quote(v) + " is not a range of user ids above 0, such as 61184-65519")
	}
	s.UIDs = [2]uint32{uint32(a), uint32(b)}
	return nil
}

// applySlice sets one key, which is named whole (SliceNamespaces).
func applySlice(s *SliceConf, key, v string) error {
	for _, k := range sliceKeys {
		if strings.EqualFold(key, "Slice"+k.name) {
			return k.set(s, v)
		}
	}
	return errorString("there is no key " + key)
}

// sliceConfKeys are the keys for the cluster.
func sliceConfKeys() []confKey {
	var out []confKey
	def := DefaultSliceConf()
	for _, k := range sliceKeys {
		out = append(out, newer(confKey{name: "Slice" + k.name, def: k.show(&def),
			set:  func(c *Conf, v string) error { return k.set(&c.Slice, v) },
			show: func(c *Conf) string { return k.show(&c.Slice) }}))
	}
	return out
}

// slicePartitionKeys are the same for one partition. They are noted, and
// applied over the cluster's at the end, when that is known.
func slicePartitionKeys() []recordKey[PartitionConf] {
	var out []recordKey[PartitionConf]
	for _, k := range sliceKeys {
		key := "Slice" + k.name
		out = append(out, recordKey[PartitionConf]{name: key, set: func(p *PartitionConf, v string) error {
			p.sliceGiven = append(slices.Clip(p.sliceGiven), confPair{key: key, value: v})
			return applySlice(&SliceConf{}, key, v)
		}})
	}
	return out
}

// String writes what differs from the defaults, as ParseSliceConf reads it:
// Key=value, without Slice, separated by semicolons.
func (s SliceConf) String() string {
	def := DefaultSliceConf()
	var out []string
	for _, k := range sliceKeys {
		if v := k.show(&s); v != k.show(&def) {
			out = append(out, k.name+"="+v)
		}
	}
	return strings.Join(out, ";")
}

// OwnText is String for a partition that says it for itself: never empty.
func (s SliceConf) OwnText() string {
	if text := s.String(); text != "" {
		return text
	}
	return "Net=host"
}

// ParseSliceConf reads what String writes.
func ParseSliceConf(text string) (SliceConf, error) {
	s := DefaultSliceConf()
	for pair := range strings.SplitSeq(text, ";") {
		key, v, _ := strings.Cut(pair, "=")
		if pair == "" {
			continue
		}
		if err := applySlice(&s, "Slice"+key, v); err != nil {
			return s, fmt.Errorf("cannot use Slice%s=%s: %w", key, v, err)
		}
	}
	return s, nil
}

// isolationWords are what --isolation takes, each a step towards less.
var isolationWords = []struct {
	word string
	do   func(s *SliceConf)
}{
	{"capabilities", func(s *SliceConf) { s.DropCaps, s.KeepCaps = true, nil }},
	{"devices", func(s *SliceConf) { s.Devices = "basic" }},
	{"ephemeral", func(s *SliceConf) { s.Ephemeral = true }},
	{"hideprocs", func(s *SliceConf) { s.HideProcs = true }},
	{"net=none", func(s *SliceConf) { s.Net = "none" }},
	{"net=private", func(s *SliceConf) {
		if s.Net == "host" {
			s.Net = "private"
		}
	}},
	{"nonewprivs", func(s *SliceConf) { s.NoNewPrivs = true }},
	{"readonly", func(s *SliceConf) { s.ReadOnly = true }},
	{"seccomp", func(s *SliceConf) { s.Seccomp = "yes" }},
	{"tmp", func(s *SliceConf) { s.PrivateTmp = true }},
}

// ParseIsolation checks the list of an --isolation option and returns it in
// canonical form: namespaces, and words that each shut a job off further.
// Nothing in it can loosen what the cluster or the partition says.
func ParseIsolation(text string) (string, error) {
	var known, out []string
	known = append(known, sliceNamespaces...)
	for _, w := range isolationWords {
		known = append(known, w.word)
	}
	for _, word := range splitList(strings.ToLower(text)) {
		if word == "all" {
			out = append(out, "pid", "mount", "uts", "ipc", "capabilities", "hideprocs", "nonewprivs", "seccomp", "tmp")
			continue
		}
		if !slices.Contains(known, word) {
			return "", &SyntaxError{Input: text, What: "a list of isolation", Why: fmt.Sprintf("%q (want all or some of %s)", word, strings.Join(known, ", "))}
		}
		out = append(out, word)
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), ","), nil
}

// Tighten returns the settings with what a job asked for by --isolation. Each
// word moves one setting towards less; what is tighter already stays.
func (s SliceConf) Tighten(isolation string) (SliceConf, error) {
	words, err := ParseIsolation(isolation)
	if err != nil {
		return s, err
	}
	s.Namespaces = slices.Clone(s.Namespaces)
	for _, word := range splitList(words) {
		if slices.Contains(sliceNamespaces, word) {
			if !slices.Contains(s.Namespaces, word) {
				s.Namespaces = append(s.Namespaces, word)
			}
			continue
		}
		for _, w := range isolationWords {
			if w.word == word {
				w.do(&s)
			}
		}
	}
	return s, nil
}
