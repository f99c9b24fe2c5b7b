package cmds_test

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/runink/rink/cmds/internal/cli"
)

// surfaceDir holds the tables of Slurm's surface: options, formats, defaults.
const surfaceDir = "../../shared/slurm-surface/"

// surface reads a table: a row a line, the cells by the names of their columns.
func surface(t *testing.T, name string) []map[string]string {
	t.Helper()
	f, err := os.Open(surfaceDir + name)
	if err != nil {
		t.Skipf("the tables of Slurm's surface are not here: %v", err)
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	var head []string
	var rows []map[string]string
	for in.Scan() {
		cells := strings.Split(in.Text(), "\t")
		if head == nil {
			head = cells
			continue
		}
		row := map[string]string{}
		for i, h := range head {
			if i < len(cells) {
				row[h] = cells[i]
			}
		}
		rows = append(rows, row)
	}
	if err := in.Err(); err != nil || len(rows) < 50 {
		t.Fatalf("%s: %d rows, %v", name, len(rows), err)
	}
	return rows
}

// called runs a command with no cluster to talk to: only what it reads of its
// command line shows.
func called(t *testing.T, name string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	run, ok := programs[name]
	if !ok {
		return "", name + ": no such command", 127
	}
	var out, errs strings.Builder
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	dir := t.TempDir()
	code = run(&cli.Env{
		Name: name, Args: args, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Now: time.Now, Ctx: ctx,
		Vars: []string{"RINK_CONF=" + filepath.Join(dir, "none.conf"), "PATH=/usr/bin:/bin", "HOME=" + dir},
	})
	return out.String(), errs.String(), code
}

// mistakes are what getopt says of an option that is not known or not well
// formed.
var mistakes = regexp.MustCompile(`unrecognized option|invalid option|doesn't allow an argument|requires an argument|is ambiguous|no such command`)

// optionRow is one spelling of options.tsv.
type optionRow struct {
	command, tier, argument string
	spellings               []string // --long and -s
}

// dashed are the rows that are options with dashes, of all commands.
func dashed(t *testing.T) []optionRow {
	var list []optionRow
	for _, row := range surface(t, "options.tsv") {
		r := optionRow{command: row["command"], tier: row["tier"], argument: row["argument"]}
		if r.command == "swait" || r.tier == "X" && row["in_version"] == "22.05" {
			continue
		}
		for _, cell := range []string{row["long"], row["short"]} {
			for _, s := range strings.Split(cell, ",") {
				if s = strings.TrimSpace(s); strings.HasPrefix(s, "-") {
					r.spellings = append(r.spellings, s)
				}
			}
		}
		if row["command"] == "scrontab" && row["long"] == "--schedule" {
			continue // the syntax of a line, not an option
		}
		if len(r.spellings) > 0 {
			list = append(list, r)
		}
	}
	return list
}

// Every option is known to its command's parser.
func TestEveryOptionIsParsed(t *testing.T) {
	known := 0
	for _, row := range dashed(t) {
		for _, spelling := range row.spellings {
			args := []string{spelling}
			if row.argument != "" && !strings.HasPrefix(row.argument, "none") && !strings.HasPrefix(row.argument, "optional") {
				args = append(args, "1")
			}
			if strings.HasPrefix(row.argument, "optional") && strings.HasPrefix(spelling, "--") {
				if _, said, _ := called(t, row.command, spelling+"=1"); mistakes.MatchString(said) {
					t.Errorf("%s %s=1 (tier %s): %s", row.command, spelling, row.tier, strings.TrimSpace(said))
				}
			}
			_, said, _ := called(t, row.command, args...)
			if mistakes.MatchString(said) {
				t.Errorf("%s %s (tier %s): %s", row.command, strings.Join(args, " "), row.tier, strings.TrimSpace(said))
				continue
			}
			known++
		}
	}
	t.Logf("%d spellings known", known)
}

// --help tells of every option of tiers 1 and 2, and --usage and -V answer.
func TestHelpTellsOfEveryOption(t *testing.T) {
	helps := map[string]string{}
	for _, row := range dashed(t) {
		help, ok := helps[row.command]
		if !ok {
			flag := "--help"
			if row.command == "seff" || row.command == "scrontab" {
				flag = "-h"
			}
			var said string
			if help, said, _ = called(t, row.command, flag); help == "" {
				t.Errorf("%s %s prints nothing: %s", row.command, flag, said)
			}
			helps[row.command] = help
		}
		if row.tier != "1" && row.tier != "2" {
			continue
		}
		for _, spelling := range row.spellings {
			if !regexp.MustCompile(`(^|[^-\w])` + regexp.QuoteMeta(spelling) + `($|[^-\w])`).MatchString(help) {
				t.Errorf("%s --help says nothing of %s (tier %s)", row.command, spelling, row.tier)
			}
		}
	}
}
