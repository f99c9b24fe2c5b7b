package manual

import (
	"fmt"
	"slices"
	"strings"
)

// Command is a command to be completed: its names, and its options.
type Command struct {
	Names   []string
	Options []string // with dashes; long ones that take a value end in =
	Words   []string // what may stand without dashes, such as scontrol's commands
}

// Bash writes a completion for bash: the options of each command, and for what a
// cluster knows (partitions, nodes, jobs, users) what the cluster has.
func Bash(commands []Command) string {
	var b strings.Builder
	b.WriteString(`# Completion for bash. Made by make man from the help texts.
# Put it into /usr/share/bash-completion/completions, or source it.

# _rink_values OPTION: what the value of an option may be, asked of the cluster.
_rink_values() {
	case $1 in
	-p | --partition | --partitions) sinfo -h -a -o %R 2>/dev/null | sort -u ;;
	-w | -n | --nodelist | --nodes | --node | -x | --exclude) sinfo -h -N -o %N 2>/dev/null | sort -u ;;
	-j | --jobs | --job | --jobid | -d | --dependency) squeue -h -a --me -o %i 2>/dev/null ;;
	-u | --user | --users | --uid) squeue -h -a -o %u 2>/dev/null | sort -u; echo "$USER" ;;
	-q | --qos) sacctmgr -n -P show qos format=name 2>/dev/null ;;
	-A | --account | --accounts) sacctmgr -n -P show account format=account 2>/dev/null ;;
	--reservation) scontrol -o show reservation 2>/dev/null | sed -n 's/^ReservationName=\([^ ]*\).*/\1/p' ;;
	-M | --cluster | --clusters) sacctmgr -n -P show cluster format=cluster 2>/dev/null; echo all ;;
	-t | --state | --states) echo all pending running suspended completed cancelled failed timeout node_fail preempted ;;
	esac
}

_rink() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} options words
	if [ "$cur" = = ]; then cur=; fi
	if [ "$prev" = = ]; then prev=${COMP_WORDS[COMP_CWORD - 2]}; fi
	case ${COMP_WORDS[0]##*/} in
`)
	for _, c := range commands {
		fmt.Fprintf(&b, "\t%s)\n\t\toptions=%q\n", strings.Join(c.Names, " | "), strings.Join(c.Options, " "))
		if len(c.Words) > 0 {
			fmt.Fprintf(&b, "\t\twords=%q\n", strings.Join(c.Words, " "))
		}
		b.WriteString("\t\t;;\n")
	}
	b.WriteString(`	esac
	case $cur in
	-*)
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
		case ${COMPREPLY[*]} in *=) compopt -o nospace 2>/dev/null ;; esac
		;;
	*)
		local values
		values=$(_rink_values "$prev")
		if [ -n "$values" ]; then
			mapfile -t COMPREPLY < <(compgen -W "$values" -- "$cur")
		elif [ -n "$words" ]; then
			mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
		else
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		fi
		;;
	esac
}

`)
	var names []string
	for _, c := range commands {
		names = append(names, c.Names...)
	}
	slices.Sort(names)
	fmt.Fprintf(&b, "complete -F _rink %s\n", strings.Join(names, " "))
	return b.String()
}

// WithValues returns the options of a help text for a completion: long ones that
// want a value end in =.
func WithValues(help string) []string {
	var out []string
	for _, part := range parseHelp(help).parts {
		for _, o := range part.options {
			for _, s := range strings.FieldsFunc(o.spellings, func(r rune) bool { return r == ',' || r == ';' }) {
				s = strings.TrimSpace(s)
				name, value, _ := strings.Cut(s, "=")
				switch {
				case !strings.HasPrefix(s, "-"):
				case strings.HasSuffix(name, "[") || value == "":
					name, _, _ = strings.Cut(strings.TrimSuffix(name, "["), " ")
					out = append(out, name)
				case strings.HasPrefix(s, "--"):
					out = append(out, name+"=")
				default:
					out = append(out, name)
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
