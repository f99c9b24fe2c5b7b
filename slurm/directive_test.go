package slurm

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

const shebang = "#!/bin/bash\n"

func TestScriptDirectives(t *testing.T) {
	tests := []struct{ name, script, want string }{
		{"QuotesRemarksIndents", `# a comment
#SBATCH --job-name="two words" --comment='single quoted'

#SBATCH -t 30   # a trailing remark
  #SBATCH --nice=7
##SBATCH --partition=nosuch
# SBATCH --partition=nosuch
#SBATCH --mem=300M -n2
#SBATCH --constraint=fast
#SBATCH --output=x-%j.out
echo "$SLURM_JOB_NAME"
#SBATCH --time=99
`, "Name=two words Comment=single quoted TimeLimit=00:30:00 Nice=0 Partitions=[] MemPerNode=300M NTasks=2 Constraint=fast Output=x-%j.out"},
		{"LastOneCounts", "#SBATCH -J first\n#SBATCH -J second\n:\n#SBATCH -J third\n", "Name=second"},
		{"NotBehindACommand", "echo x; #SBATCH -J late\n#SBATCH -J late\n", "Name=job.sh"},
		{"RinkIsSbatch", "#RINK -J rink -n2\n#SBATCH -c3\n#RINK --mem=1G\n", "Name=rink NTasks=2 CPUsPerTask=3 MemPerNode=1G"},
		{"Tabs", "#SBATCH\t-n\t3\t\n", "NTasks=3"},
		{"MarkerGlued", "#SBATCH-n 3\n", "NTasks=3"},
		{"ValueOnTheNextLine", "#SBATCH -n\n#SBATCH 3\n", "NTasks=3"},
		{"NoLineEnd", "\n\n   \n#SBATCH -n 3", "NTasks=3"},
		{"HashInAWord", "#SBATCH --comment=a#b -J x\n", "Comment=a Name=job.sh"},
		{"HashBehindQuotes", "#SBATCH --comment='a'#b -J x\n", "Comment=a Name=job.sh"},
		{"EscapedHash", "#SBATCH --comment=a\\#b -J x\n", "Comment=a#b Name=x"},
		{"QuotesWithinAWord", "#SBATCH --comment=a'b c'd\"e f\"g -J x\n", "Comment=ab cde fg Name=x"},
		{"EscapeInQuotes", `#SBATCH --comment="a'b\"c" -J x` + "\n", `Comment=a'b"c Name=x`},
		{"EscapedBackslashes", `#SBATCH --comment=a\\\\b "--wckey=x y" -J"q"` + "\n", `Comment=a\\b WCKey=x y Name=q`},
		{"BackslashAtTheEnd", "#SBATCH -J x\\\n#SBATCH -n 3\n", "Name=x NTasks=3"},
		{"QuotedEmptyValue", "#SBATCH --comment=\"\" -J x\n", "Comment= Name=x"},
		{"NoWrapNoHelp", "#SBATCH --wrap=foo --help -n2\n", "NTasks=2 Name=job.sh"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ask{cmd: Sbatch, script: shebang + tt.script, args: []string{"dir/job.sh"}}.do()
			if err != nil {
				t.Fatal(err)
			}
			checkFields(t, &got[0].Job, tt.want)
			if got[0].Client.HasWrap || got[0].Client.Help {
				t.Error("an option of the command line alone took effect")
			}
		})
	}
}

func TestScriptMistakes(t *testing.T) {
	try := "\nTry \"sbatch --help\" for more information"
	tests := []struct {
		name, script string
		exit         int
		want         string
	}{
		{"GluedWord", shebang + "#SBATCHX --comment=x\n:\n", 255, "sbatch: error: Invalid directive found in batch script: X"},
		{"UnknownOption", shebang + "#SBATCH --jobname=x\n", 255, "sbatch: unrecognized option '--jobname=x'" + try},
		{"OpenQuote", shebang + "#SBATCH -J \"open\n", 1, "sbatch: fatal: x.sh: line 2: Unmatched `\"` in [ \"open]"},
		{"OpenSingleQuote", shebang + "\n#SBATCH 'x\n", 1, "sbatch: fatal: x.sh: line 3: Unmatched `'` in ['x]"},
		{"ExtraWords", shebang + "#SBATCH\n#SBATCH -J tail extra words\necho\n", 255, "sbatch: error: Invalid directive found in batch script: extra"},
		{"BehindDashes", shebang + "#SBATCH -- -n 3\n", 255, "sbatch: error: Invalid directive found in batch script: -n"},
		{"BlankIsNotEscaped", shebang + "#SBATCH --comment=a\\ b -J x\n", 255, "sbatch: error: Invalid directive found in batch script: b"},
		{"Colon", shebang + "#SBATCH -J :x --comment a:b\n", 1, "sbatch: fatal: x.sh: line 2: Unexpected `:` in [ :x --comment a:b]"},
		{"ColonFirst", shebang + "#SBATCH : -n 2\n", 1, "sbatch: fatal: x.sh: line 2: Unexpected `:` in [: -n 2]"},
		{"EmptyWordEndsTheLine", shebang + "#SBATCH -J \"\" -n 2\n", 255, "sbatch: option requires an argument -- 'J'" + try},
		{"ValueBeforeUnknown", shebang + "#SBATCH -t abc --bogus\n", 255, "sbatch: error: Invalid --time specification"},
		{"Empty", "", 1, "sbatch: error: Batch script is empty!"},
		{"Blank", "  \n\n", 1, "sbatch: error: Batch script contains only whitespace!"},
		{"NoInterpreter", "echo\n", 1, "sbatch: error: This does not look like a batch script.  The first\n" +
			"sbatch: error: line must start with #! followed by the path to an interpreter.\nsbatch: error: For instance: #!/bin/sh"},
		{"Dos", "#!/bin/sh\necho\r\n", 1, "sbatch: error: Batch script contains DOS line breaks (\\r\\n)\n" +
			"sbatch: error: instead of expected UNIX line breaks (\\n)."},
		{"Nul", "#!/bin/sh\necho\r\n\x00", 1, "sbatch: error: The Slurm controller does not allow scripts that\nsbatch: error: contain a NULL character '\\0'."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ask{cmd: Sbatch, script: tt.script, args: []string{"x.sh"}}.do()
			if tt.script == "" {
				_, err = ParseScript("sbatch", "x.sh", nil)
			}
			var e *OptionError
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want %s", err, tt.want)
			}
			if e.Error() != tt.want || e.Exit != tt.exit {
				t.Errorf("exit %d: %s\nwant %d: %s", e.Exit, e, tt.exit, tt.want)
			}
		})
	}
	long := []byte(shebang + strings.Repeat("x", MaxScriptSize))
	if _, err := ParseScript("sbatch", "x.sh", long); !errors.Is(err, ErrnoPathnameTooLong) {
		t.Errorf("a long script: %v", err)
	}
}

func TestStages(t *testing.T) {
	s, err := ParseScript("sbatch", "x.sh", []byte(shebang+"#RINK stage align --after 'a b'\n#RINK -n2\n#SBATCH stage\n#RINK stages=x\n"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range s.Directives {
		got = append(got, fmt.Sprintf("%d %d %q", d.Line, d.Kind, d.Args))
	}
	want := []string{`2 1 ["align" "--after" "a b"]`, `3 0 ["-n2"]`, `4 0 ["stage"]`, `5 0 ["stages=x"]`}
	if !slices.Equal(got, want) || !s.HasStages() {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestHetjobLines(t *testing.T) {
	s, err := ParseScript("sbatch", "x.sh", []byte(shebang+"#SBATCH -n1\n#SBATCH  hetjob\n#SBATCH packjob # old\n#SBATCH -n3\n"))
	if err != nil {
		t.Fatal(err)
	}
	var sizes []int
	for _, c := range s.components() {
		sizes = append(sizes, len(c))
	}
	if !slices.Equal(sizes, []int{1, 0, 1}) || len(s.Notices) != 1 {
		t.Errorf("components of %v directives, notices %v", sizes, s.Notices)
	}
}

func TestForeignDirectives(t *testing.T) {
	tests := []struct{ lines, want string }{
		{"#PBS -N pbsname\n#PBS -l walltime=00:20:00", "Name=pbsname TimeLimit=00:20:00"},
		{"#PBS -l nodes=2:ppn=4,walltime=10:00,mem=2gb", "MinNodes=2 NTasks=8 TimeLimit=00:10:00 MemPerNode=2G"},
		{"#PBS -l nodes=n1:ppn=2+n3:ppn=4", "NodeList=n1,n3 NTasks=6"},
		{"#PBS -l nodes=2:fast:ppn=3", "MinNodes=2 NTasks=6 Constraint=fast"},
		{"#PBS -l nodes=1:ppn=x", "MinNodes=1"},
		{"#PBS -l ncpus=4,file=10gb,nice=5,proc=x", "MinCPUs=4 TmpDisk=10G Nice=5 Constraint=x"},
		{"#PBS -l select=2:ncpus=4:mpiprocs=2:mem=4gb", "CPUsPerTask=2 MemPerNode=4G MinCPUs=4 MinNodes=2 NTasksPerNode=2"},
		{"#PBS -l naccelerators=2 -l mppnodes=n[1-2]", "Gres=gpu:2 NodeList=n[1-2]"},
		{"#PBS -q short -o out -e err -A acct -t 1-3", "Partitions=[short] Output=out Error=err Account=acct Array=1-3"},
		{"#PBS -J 1-3 -h -m abe -M a@b", "Array=1-3 Hold=true MailTypes=[BEGIN END FAIL] MailUser=a@b"},
		{"#PBS -m n -r n -p -100", "MailTypes=[] Requeue=no Nice=-100"},
		{"#PBS -o out -e err -j oe", "Output=out Error="},
		{"#PBS -o out -e err -j eo", "Output=err Error="},
		{"#PBS -v A=1,B", "Export=A=1,B"},
		{"#PBS -V -v A=1", "Export=ALL,A=1"},
		{"#PBS -W depend=afterok:5,umask=077", "Dependency=afterok:5"},
		{"#PBS -a 202712011230", "Begin=2027-12-01T12:30:00"},
		{"#PBS -a 2712011230.30", "Begin=2027-12-01T12:30:30"},
		{"#PBS -a 1830", "Begin=2026-11-23T18:30:00"},
		{"#PBS -N pbs # remark", "Name=pbs"},
		{"#SBATCH -J sb\n#PBS -N pbs", "Name=pbs"},
		{"#PBS -N pbs\n#SBATCH -J sb", "Name=pbs"},
		{"#BSUB -J bsub\n#PBS -N pbs\n#SBATCH -n2", "Name=bsub NTasks=2"},
		{"#PBS -N pbs\necho\n#PBS -l nodes=2", "Name=pbs MinNodes=2"},
		{"#BSUB -n 4,8 -W 90 -q normal -o out -e err", "NTasks=8 TimeLimit=01:30:00 Partitions=[normal] Output=out Error=err"},
		{"#BSUB -m 'n1 n2' -M 1000 -x -cwd /tmp", "NodeList=n1,n2 MemPerCPU=1M Exclusive=exclusive WorkDir=/tmp"},
	}
	for _, tt := range tests {
		t.Run(tt.lines, func(t *testing.T) {
			got, err := ask{cmd: Sbatch, script: shebang + tt.lines + "\n", args: []string{"x.sh"}}.do()
			if err != nil {
				t.Fatal(err)
			}
			checkFields(t, &got[0].Job, tt.want)
		})
	}
	for _, script := range []string{"#SBATCH --ignore-pbs\n#PBS -N x -Z\n", "#PBS -N 'x\n"} {
		a := ask{cmd: Sbatch, script: shebang + script, args: []string{"x.sh"}}
		if strings.Contains(script, "'") {
			a.env = map[string]string{"SBATCH_IGNORE_PBS": "1"}
		}
		got, err := a.do()
		if err != nil || got[0].Job.Name != "x.sh" {
			t.Errorf("%q is not ignored: %v", script, err)
		}
	}
	mistakes := []struct{ line, want string }{
		{"#PBS -Z", "sbatch: invalid option -- 'Z'\nsbatch: error: Unrecognized command line parameter ?"},
		{"#PBS -N a b", "sbatch: error: Invalid argument: b"},
		{"#PBSx -N foo", "sbatch: error: Invalid argument: x"},
		{"#PBS -N 'open", "sbatch: fatal: x.sh: line 2: Unmatched `'` in [ 'open]"},
		{"#PBS -m x", "sbatch: error: Invalid --mail-type specification"},
		{"#PBS -l walltime=abc", "sbatch: error: Invalid --time specification"},
		{"#BSUB -oo out", "sbatch: error: Invalid argument: out"},
		{"#BSUB -R span[hosts=1]", "sbatch: invalid option -- 'R'\nsbatch: error: Unrecognized command line parameter ?"},
		{"#BSUB -W 1:30/host", "sbatch: error: Invalid --time specification"},
	}
	for _, tt := range mistakes {
		if _, err := (ask{cmd: Sbatch, script: shebang + tt.line + "\n", args: []string{"x.sh"}}).do(); err == nil || err.Error() != tt.want {
			t.Errorf("%s: %v\nwant %s", tt.line, err, tt.want)
		}
	}
}

func TestForeignOptionsWithoutEffect(t *testing.T) {
	got, err := ask{cmd: Sbatch, script: shebang + "#PBS -l pmem=1gb -S /bin/sh -W umask=027,block=true\n", args: []string{"x.sh"}}.do()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"#PBS -l pmem=1gb (sbatch has nothing like it)", "#PBS -S (sbatch has nothing like it)", "#PBS -W block=true (sbatch has nothing like it)"}
	if !slices.Equal(got[0].NoEffect, want) || got[0].Client.Umask != "027" || len(got[0].Notices) != 1 {
		t.Errorf("no effect %q, umask %q, notices %v", got[0].NoEffect, got[0].Client.Umask, got[0].Notices)
	}
}

// FuzzParseScript: the words of a directive, quoted and written again, are the
// same words, and nothing makes the reading of options panic.
func FuzzParseScript(f *testing.F) {
	for _, seed := range []string{"#SBATCH -J \"two words\" # x\n", "#RINK stage a 'b c'\n", "#SBATCH hetjob\n", "#PBS -l nodes=2:ppn=4\n",
		"#BSUB -n 4,8\n", "#SBATCH --comment=a\\#b\\ c\n:\n#PBS -j oe -e x\n", "#SBATCH -N1,2-9:3 --gres=gpu:2\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a := ask{cmd: Sbatch, script: shebang + text, args: []string{"x.sh"}}
		if _, err := a.do(); err != nil && err.Error() == "" {
			t.Fatal("an empty error")
		}
		s, err := ParseScript("sbatch", "x.sh", []byte(a.script))
		if err != nil {
			return
		}
		for _, d := range s.Directives {
			var quoted []string
			for _, w := range d.Args {
				quoted = append(quoted, `"`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(w)+`"`)
			}
			again, err := s.words("sbatch", Directive{Text: strings.Join(quoted, " ")})
			if err != nil || !slices.Equal(again, d.Args) {
				t.Fatalf("%q written as %s: %q, %v", d.Args, quoted, again, err)
			}
		}
	})
}

func TestWrappedScript(t *testing.T) {
	script := WrapScript("echo one; #SBATCH -n3")
	s, err := ParseScript("sbatch", "wrap", script)
	if err != nil || len(s.Directives) != 0 || !strings.HasSuffix(string(script), "\n\necho one; #SBATCH -n3\n") {
		t.Errorf("%q: %v, %v", script, s, err)
	}
}

func TestDirectiveWords(t *testing.T) {
	got, err := DirectiveWords("scrontab", "crontab", 3, "  -J 'a b' # x")
	if err != nil || !slices.Equal(got, []string{"-J", "a b"}) {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := DirectiveWords("scrontab", "crontab", 3, " 'x"); err == nil || err.Error() != "scrontab: fatal: crontab: line 3: Unmatched `'` in ['x]" {
		t.Errorf("open quote: %v", err)
	}
}
