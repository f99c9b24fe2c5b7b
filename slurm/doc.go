// Package slurm holds the words people type and read: durations, dates, sizes,
// host lists, array and dependency specifications, generic resources, output
// formats, file name patterns, states, reasons and error texts. There is one
// type and one file for each syntax. Parsing never touches the clock, the
// environment or a file: what it needs of them is an argument. Values print the
// way Slurm prints them, and what prints can be read back.
package slurm

import "strconv"

// quote quotes input for an error message and keeps the message short.
func quote(s string) string {
	const most = 200
	if len(s) > most {
		return strconv.Quote(s[:most]) + "..."
	}
	return strconv.Quote(s)
}

// digits counts the decimal digits that s begins with.
func digits(s string) int {
	n := 0
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return n
}

// isNumber reports whether s is decimal digits and nothing else.
func isNumber(s string) bool { return s != "" && digits(s) == len(s) }

// parseUint reads a decimal number of at most max; nothing but digits is taken.
func parseUint(s string, max uint64) (uint64, bool) {
	if !isNumber(s) {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 64)
	return n, err == nil && n <= max
}
