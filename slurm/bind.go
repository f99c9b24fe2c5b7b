package slurm

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// bindSyntax is the syntax that --cpu-bind and --mem-bind share: words separated
// by commas, the last of which may take the rest as its list.
type bindSyntax struct {
	what  string            // for errors
	words map[string]string // word to its canonical form
	lists []string          // words that take a list of numbers
	masks []string          // words that take a list of hexadecimal masks

	mods []string // words that stand beside a kind, in canonical order
}

var cpuBind = bindSyntax{
	what: "a binding of tasks to CPUs",
	words: map[string]string{
		"none": "none", "no": "none", "rank": "rank", "rank_ldom": "rank_ldom", "socket": "sockets", "sockets": "sockets",
		"core": "cores", "cores": "cores", "thread": "threads", "threads": "threads", "ldom": "ldoms", "ldoms": "ldoms",
	},
	lists: []string{"map_cpu", "map_ldom"},
	masks: []string{"mask_cpu", "mask_ldom"},
}

var memBind = bindSyntax{
	what: "a binding of tasks to memory",
	words: map[string]string{
		"none": "none", "no": "none", "rank": "rank", "local": "local", "prefer": "prefer", "p": "prefer", "sort": "sort", "nosort": "nosort",
	},
	lists: []string{"map_mem"},
	masks: []string{"mask_mem"},
	mods:  []string{"prefer", "sort", "nosort"},
}

// ParseNodeBind reads how tasks are bound on a node or in a partition when nobody
// says: none, or by sockets, ldoms, cores or threads; off is "".
func ParseNodeBind(v string) (string, error) {
	switch word := strings.ToLower(v); strings.TrimSuffix(word, "s") {
	case "off":
		return "", nil
	case "none":
		return "none", nil
	case "socket", "ldom", "core", "thread":
		return strings.TrimSuffix(word, "s") + "s", nil
	}
	return "", errorString(quote(v) + " is none of none, socket, ldom, core, thread and off")
}

// ParseCPUBind checks [quiet|verbose,]kind and returns it with its words in full:
// none, rank, sockets, cores, threads, ldoms, rank_ldom, map_cpu:list,
// mask_cpu:list, map_ldom:list or mask_ldom:list. Of several kinds the last one
// counts.
func ParseCPUBind(s string) (string, error) { return cpuBind.parse(s) }

// ParseMemBind checks [quiet|verbose,][prefer,][sort|nosort,]kind and returns it
// with its words in full: none, rank, local, map_mem:list or mask_mem:list.
func ParseMemBind(s string) (string, error) { return memBind.parse(s) }

func (b bindSyntax) parse(s string) (string, error) {
	refuse := func(why string) (string, error) {
		return "", &SyntaxError{Input: s, What: b.what, Why: why}
	}
	var loud, kind string
	mods := map[string]bool{}
	for rest := s; ; {
		word, after, more := strings.Cut(rest, ",")
		lower := strings.ToLower(word)
		name, list, hasList := strings.Cut(lower, ":")
		switch {
		case lower == "q" || lower == "quiet":
			loud = "quiet"
		case lower == "v" || lower == "verbose":
			loud = "verbose"
		case slices.Contains(b.lists, name) || slices.Contains(b.masks, name):
			// The commas that follow belong to the list, up to the next word.
			list, after, more = takeList(list, after, more)
			if !hasList || list == "" {
				return refuse("missing list for " + name)
			}
			for item := range strings.SplitSeq(list, ",") {
				if !bindItem(item, slices.Contains(b.masks, name)) {
					return refuse(fmt.Sprintf("%q in the list of %s", item, name))
				}
			}
			kind = name + ":" + list
		case b.words[lower] == "":
			return refuse(fmt.Sprintf("%q", word))
		case slices.Contains(b.mods, b.words[lower]):
			mods[b.words[lower]] = true
		default:
			kind = b.words[lower]
		}
		if !more {
			break
		}
		rest = after
	}
	var out []string
	if loud != "" {
		out = append(out, loud)
	}
	for _, m := range b.mods {
		if mods[m] {
			out = append(out, m)
		}
	}
	if kind != "" {
		out = append(out, kind)
	}
	return strings.Join(out, ","), nil
}

// takeList moves what still looks like a number from after to list.
func takeList(list, after string, more bool) (string, string, bool) {
	for more {
		item, rest, next := strings.Cut(after, ",")
		if item == "" || !strings.ContainsRune("0123456789", rune(item[0])) && !bindItem(strings.ToLower(item), true) {
			break
		}
		list += "," + strings.ToLower(item)
		after, more = rest, next
	}
	return list, after, more
}

// bindItem reports whether s is a number, or a mask with or without 0x, perhaps
// with *repetitions behind it.
func bindItem(s string, mask bool) bool {
	num, times, repeated := strings.Cut(s, "*")
	if n, ok := parseUint(times, 1<<20); repeated && (!ok || n == 0) {
		return false
	}
	if !mask {
		_, ok := parseUint(num, 1<<31)
		return ok
	}
	hex := strings.TrimPrefix(num, "0x")
	return hex != "" && strings.Trim(hex, "0123456789abcdef") == ""
}

// badNumber is the first item of the list that ends a binding that is no number or
// mask, and the letter that makes it so; "" is none.
func (b bindSyntax) badNumber(value string) (item, letter string) {
	for at := 0; at < len(value); at++ {
		if at > 0 && value[at-1] != ',' {
			continue
		}
		name, list, ok := strings.Cut(strings.ToLower(value[at:]), ":")
		mask := slices.Contains(b.masks, name)
		if !ok || !mask && !slices.Contains(b.lists, name) {
			continue
		}
		digits := "0123456789*"
		if mask {
			digits += "abcdef"
		}
		for item := range strings.SplitSeq(list, ",") {
			num := item
			if mask {
				num = strings.TrimPrefix(item, "0x")
			}
			if rest := strings.TrimLeft(num, digits); rest != "" {
				return item, rest[:1]
			}
		}
		return "", ""
	}
	return "", ""
}

// ParseGPUBind checks [verbose,]kind: none, closest, single:N, per_task:N,
// map_gpu:list or mask_gpu:list.
func ParseGPUBind(s string) (string, error) {
	refuse := func(why string) (string, error) {
		return "", &SyntaxError{Input: s, What: "a binding of tasks to GPUs", Why: why +
			" (want [verbose,]none|closest|single:N|per_task:N|map_gpu:list|mask_gpu:list)"}
	}
	lower := strings.ToLower(s)
	kind, verbose := strings.CutPrefix(lower, "verbose,")
	name, value, has := strings.Cut(kind, ":")
	switch name {
	case "none", "closest":
		if has {
			return refuse(fmt.Sprintf("%q takes no value", name))
		}
	case "single", "per_task":
		if n, ok := parseUint(value, 1<<16); !ok || n == 0 {
			return refuse(fmt.Sprintf("count %q", value))
		}
	case "map_gpu", "mask_gpu":
		for item := range strings.SplitSeq(value, ",") {
			if !bindItem(item, name == "mask_gpu" || strings.HasPrefix(item, "0x")) {
				return refuse(fmt.Sprintf("%q in the list of %s", item, name))
			}
		}
	default:
		return refuse(fmt.Sprintf("%q", kind))
	}
	if verbose {
		kind = "verbose," + kind
	}
	return kind, nil
}

// hints are the words of --hint.
var hints = []string{"compute_bound", "memory_bound", "multithread", "nomultithread"}

// ParseHint checks hints separated by commas and returns them in lower case.
func ParseHint(s string) (string, error) {
	lower := strings.ToLower(s)
	for word := range strings.SplitSeq(lower, ",") {
		if !slices.Contains(hints, word) {
			return "", &SyntaxError{Input: s, What: "a hint", Why: fmt.Sprintf("%s (want %s)", strconv.Quote(word), strings.Join(hints, ", "))}
		}
	}
	return lower, nil
}
