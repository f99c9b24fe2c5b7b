package sbcast

import (
	"bytes"
	"slices"
	"testing"

	"github.com/runink/rink/cmds/internal/cli"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name       string
		vars, args []string
		want       options // of the fields below
		words      string  // on stderr, or the error
	}{
		{name: "OK", vars: []string{"SLURM_JOB_ID=7"}, args: []string{"a", "b"}, want: options{block: defaultBlock}},
		{name: "All", args: []string{"-j", "8+1.2", "-fp", "-Clz4", "-s", "3m", "-t7", "-F", "2", "--send-libs", "a", "b"},
			want: options{block: 3 << 20, force: true, preserve: true, compress: "lz4", timeout: 7, fanout: 2, libs: true}},
		{name: "Environment", vars: []string{"SLURM_JOB_ID=7", "SBCAST_FORCE=", "SBCAST_COMPRESS=", "SBCAST_SIZE=4k", "SBCAST_TREE_WIDTH=3", "SBCAST_SEND_LIBS=yes"},
			args: []string{"--send-libs=no", "a", "b"}, want: options{block: 4 << 10, force: true, compress: "lz4", fanout: 3}},
		{name: "SizeZero", vars: []string{"SLURM_JOB_ID=7"}, args: []string{"-s0", "a", "b"}, want: options{block: defaultBlock}},
		{name: "SizeHuge", vars: []string{"SLURM_JOB_ID=7"}, args: []string{"-s", "2g", "a", "b"}, want: options{block: maxBlock}},
		{name: "BadSize", vars: []string{"SLURM_JOB_ID=7"}, args: []string{"-s", "x", "a", "b"}, want: options{block: defaultBlock},
			words: "size specification is invalid, ignored\n"},
		{name: "BadCompress", vars: []string{"SLURM_JOB_ID=7"}, args: []string{"--compress=zlib", "a", "b"}, want: options{block: defaultBlock},
			words: "sbcast: error: Compression type 'zlib' unknown, disabling compression support.\n"},
		{name: "BadLibs", vars: []string{"SLURM_JOB_ID=7"}, args: []string{"--send-libs=xx", "a", "b"}, want: options{block: defaultBlock},
			words: "sbcast: error: Ignoring unrecognized --send-libs value 'xx'\n"},
		{name: "ErrNames", vars: []string{"SLURM_JOB_ID=7"}, args: []string{"a"},
			words: "Need two file names, have 1 names\nTry \"sbcast --help\" for more information"},
		{name: "ErrNoJob", args: []string{"a", "b"},
			words: "sbcast: error: Need a job id to run this command.  Run from within a Slurm job or use the --jobid option."},
	} {
		t.Run(c.name, func(t *testing.T) {
			var errs bytes.Buffer
			o, err := parse(&cli.Env{Name: "sbcast", Args: c.args, Vars: c.vars, Stderr: &errs})
			if err != nil {
				if err.Error() != c.words {
					t.Errorf("error %q, want %q", err, c.words)
				}
				return
			}
			if errs.String() != c.words {
				t.Errorf("says %q, want %q", errs.String(), c.words)
			}
			got := options{block: o.block, force: o.force, preserve: o.preserve, compress: o.compress, timeout: o.timeout, fanout: o.fanout, libs: o.libs}
			if got.block != c.want.block || got.force != c.want.force || got.preserve != c.want.preserve || got.compress != c.want.compress ||
				got.timeout != c.want.timeout || got.fanout != c.want.fanout || got.libs != c.want.libs {
				t.Errorf("%+v, want %+v", got, c.want)
			}
			if o.source != "a" || o.dest != "b" || !o.hasRef {
				t.Errorf("from %q to %q", o.source, o.dest)
			}
		})
	}
}

func TestFromLdd(t *testing.T) {
	out := "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f8)\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f9)\n\tlibx.so => /opt/x/libx.so (0x7)\n"
	got, err := fromLdd(out)
	if want := []string{"/lib/x86_64-linux-gnu/libc.so.6", "/opt/x/libx.so"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := fromLdd("\tliby.so => not found\n"); err == nil {
		t.Error("a library that is not there is passed over")
	}
}

func TestExcluded(t *testing.T) {
	for _, c := range []struct {
		lib, list string
		want      bool
	}{
		{"/lib/a.so", "/lib,/usr/lib", true}, {"/lib64/a.so", "/lib,/usr/lib", false}, {"/usr/lib/x/a.so", "/lib, /usr/lib/", true},
		{"/lib/a.so", "NONE", false}, {"/lib/a.so", "", false}, {"/opt/a.so", "/opt/a.so", true},
	} {
		if got := excluded(c.lib, c.list); got != c.want {
			t.Errorf("%s with %q: %v", c.lib, c.list, got)
		}
	}
}
