package slurm

import (
	"strings"
	"testing"
)

func TestSliceConf(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "",
		"Namespaces=PID,mount;PrivateTmp=yes": "Namespaces=pid,mount;PrivateTmp=Yes",
		"PrivateTmp=4G;ShmSize=64M":           "PrivateTmp=4096M;ShmSize=64M",
		"Binds=/scratch,/data:/mnt:ro,/a:ro;ReadOnly=yes": "Binds=/scratch,/data:/mnt:ro,/a:ro;ReadOnly=Yes",
		"Binds=/a:rw":       "Binds=/a",
		"Capabilities=none": "Capabilities=none",
		"Capabilities=CAP_SYS_NICE,kill;Seccomp=containers":                        "Capabilities=sys_nice,kill;Seccomp=containers",
		"Identity=ephemeral:svc;UIDs=70000-70010":                                  "Identity=ephemeral:svc;UIDs=70000-70010",
		"Net=private;NetRange=10.3.0.0/16;NetAllow=1.2.3.4:443,10.0.0.0/8":         "Net=private;NetAllow=1.2.3.4:443,10.0.0.0/8;NetRange=10.3.0.0/16",
		"Cgroup=no;Devices=basic;HideProcs=yes;IOWeight=7;NoNewPrivs=yes;Pids=100": "Cgroup=no;Devices=basic;HideProcs=Yes;IOWeight=7;NoNewPrivs=Yes;Pids=100",
		"Cgroup=auto;Net=host": "",
	} {
		s, err := ParseSliceConf(text)
		if err != nil || s.String() != want {
			t.Errorf("%s: %s %v, want %s", text, s, err, want)
			continue
		}
		if back, err := ParseSliceConf(s.String()); err != nil || back.String() != want {
			t.Errorf("%s: read back as %s, %v", text, back, err)
		}
	}
	for text, want := range map[string]string{
		"Namespaces=pidd": "none of pid", "Binds=scratch": "absolute paths", "Binds=/a:/b:/c": "absolute paths", "Binds=/a/../b": "absolute paths",
		"Binds=/": "absolute paths", "Capabilities=fly": "not a capability", "Identity=root": "none of user", "Identity=ephemeral:": "none of user",
		"UIDs=0-5": "above 0", "UIDs=9-5": "range", "Net=wifi": "none of host", "NetRange=10.0.0.1/8": "range", "NetRange=10.0.0.0/30": "range",
		"NetAllow=example.org": "IPv4", "NetAllow=1.2.3.4:": "port", "NetAllow=1.2.3.256": "IPv4", "PrivateTmp=big": "none of yes, no and a size",
		"Seccomp=max": "none of no", "Pids=-1": "between", "Devices=gpu": "none of all", "Colour=red": "no key",
	} {
		if s, err := ParseSliceConf(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %s %v, want an error with %q", text, s, err, want)
		}
	}
}

func TestIsolationOnlyTightens(t *testing.T) {
	for _, c := range [][3]string{
		{"", "", ""},
		{"", "all", "Capabilities=none;HideProcs=Yes;Namespaces=ipc,mount,pid,uts;NoNewPrivs=Yes;PrivateTmp=Yes;Seccomp=yes"},
		{"Namespaces=pid;PrivateTmp=1G", "TMP,pid,uts", "Namespaces=pid,uts;PrivateTmp=1024M"},
		{"Net=none", "net=private", "Net=none"},
		{"Net=private", "net=none,net=private", "Net=none"},
		{"", "net=private", "Net=private"},
		{"Seccomp=containers", "seccomp", "Seccomp=yes"},
		{"Capabilities=kill", "capabilities", "Capabilities=none"},
		{"Identity=ephemeral:svc", "ephemeral,readonly,devices", "Devices=basic;Identity=ephemeral:svc;ReadOnly=Yes"},
	} {
		s, err := ParseSliceConf(c[0])
		if err != nil {
			t.Fatal(err)
		}
		if s, err = s.Tighten(c[1]); err != nil || s.String() != c[2] {
			t.Errorf("%q with %q: %s %v, want %s", c[0], c[1], s, err, c[2])
		}
	}
	for _, bad := range []string{"net=host", "none", "no", "seccomp=no", "pid mount"} {
		if words, err := ParseIsolation(bad); err == nil {
			t.Errorf("%q: %q", bad, words)
		}
	}
}

func FuzzSliceConf(f *testing.F) {
	f.Add("Net=private;NetRange=10.3.0.0/16;NetAllow=1.2.3.4:443;Binds=/a:ro")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSliceConf(text)
		if err != nil {
			return
		}
		back, err := ParseSliceConf(s.String())
		if err != nil || back.String() != s.String() {
			t.Errorf("%q: %q read back as %q, %v", text, s, back, err)
		}
	})
}
