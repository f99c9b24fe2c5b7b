package scrontab

import (
	"fmt"
	"strings"

	"github.com/runink/rink/slurm"
)

// entry is a line of a crontab that asks for a job.
type entry struct {
	spec    slurm.CronSpec
	command string   // as a shell takes it
	input   string   // what the command reads, from behind its first %
	options []string // words of its #SCRON lines
	vars    []string // NAME=value, in force at this line
	first   int      // line of the first #SCRON line, or of the entry itself
	line    int
}

// failure is a line that makes no sense.
type failure struct {
	line int
	err  error
}

func (f *failure) Error() string { return fmt.Sprintf("line %d: %v", f.line, f.err) }

// directive begins a line with options for the next entry.
const directive = "#SCRON"

// parse reads a crontab.
func parse(program, text string) ([]entry, *failure) {
	var list []entry
	var options, vars []string
	first := 0
	for i, line := range strings.Split(text, "\n") {
		n := i + 1
		bare := strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(bare, directive); ok && (rest == "" || rest[0] == ' ' || rest[0] == '\t') {
			words, err := slurm.DirectiveWords(program, "crontab", n, rest)
			if err != nil {
				return nil, &failure{n, err}
			}
			if first == 0 {
				first = n
			}
			options = append(options, words...)
			continue
		}
		if bare == "" || bare[0] == '#' {
			continue
		}
		if name, value, ok := assignment(bare); ok {
			vars = append(vars[:len(vars):len(vars)], name+"="+value)
			continue
		}
		spec, command, err := slurm.CronLineSpec(bare)
		if err != nil {
			return nil, &failure{n, err}
		}
		e := entry{spec: spec, options: options, vars: vars, first: first, line: n}
		if first == 0 {
			e.first = n
		}
		e.command, e.input = percent(command)
		list = append(list, e)
		options, first = nil, 0
	}
	return list, nil
}

// assignment reads NAME=value, the value perhaps in quotes.
func assignment(line string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(line, "=")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	if !ok || name == "" || strings.ContainsAny(name, " \t*/,@") || name[0] >= '0' && name[0] <= '9' {
		return "", "", false
	}
	if len(value) > 1 && (value[0] == '"' || value[0] == '\'') && value[len(value)-1] == value[0] {
		value = value[1 : len(value)-1]
	}
	return name, value, true
}

// percent parts a command from its input: the first % that no backslash stands
// before ends the command, further ones are line ends of the input.
func percent(command string) (string, string) {
	var parts []string
	var b strings.Builder
	for i := 0; i < len(command); i++ {
		switch {
		case command[i] == '\\' && i+1 < len(command) && command[i+1] == '%':
			b.WriteByte('%')
			i++
		case command[i] == '%':
			parts = append(parts, b.String())
			b.Reset()
		default:
			b.WriteByte(command[i])
		}
	}
	parts = append(parts, b.String())
	if len(parts) == 1 {
		return parts[0], ""
	}
	return parts[0], strings.Join(parts[1:], "\n") + "\n"
}

// script is what the batch job of an entry runs.
func (e *entry) script() []byte {
	if e.input == "" {
		return []byte("#!/bin/sh\n# made by scrontab\n" + e.command + "\n")
	}
	end := "END_OF_INPUT"
	for strings.Contains(e.input, end) {
		end += "_"
	}
	return []byte("#!/bin/sh\n# made by scrontab\n" + e.command + " <<'" + end + "'\n" + e.input + end + "\n")
}
