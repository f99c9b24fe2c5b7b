package slurm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// files is a FileReader over texts.
func files(texts map[string]string) FileReader {
	return func(p string) ([]byte, error) {
		if t, ok := texts[p]; ok {
			return []byte(t), nil
		}
		return nil, &fs.PathError{Op: "open", Path: p, Err: fs.ErrNotExist}
	}
}

const confHead = "ClusterName=Test\nSlurmctldHost=c1(10.0.0.1)\nSlurmctldHost=c2\n"

func parseConfText(t *testing.T, text string) (*Conf, []KeyReport) {
	t.Helper()
	c, reports, err := ParseConf("/etc/slurm.conf", files(map[string]string{"/etc/slurm.conf": confHead + text}))
	if err != nil {
		t.Fatal(err)
	}
	return c, reports
}

func TestConfValues(t *testing.T) {
	tests := []struct {
		name, text string
		got        func(c *Conf) any
		want       string
	}{
		{"Defaults", "", func(c *Conf) any {
			return []any{c.ClusterName, c.SlurmctldPort, c.SlurmdPort, c.KillWait, c.MinJobAge, c.JobRequeue, c.MaxArraySize, c.PriorityMaxAge,
				c.PrologEpilogTimeout, c.SuspendTime, c.PreemptMode, c.EnforcePartLimits, c.FirstJobID, c.PropagateResourceLimits, c.Slice}
		}, "[test 6817 6818 00:00:30 00:05:00 true 1001 7-00:00:00 UNLIMITED UNLIMITED [OFF] NO 1 [ALL] ]"},
		{"Hosts", "", func(c *Conf) any { return c.SlurmctldHost }, "[c1(10.0.0.1) c2]"},
		{"AnyCase", "killWAIT=7\nMINJOBAGE=9", func(c *Conf) any { return []any{c.KillWait, c.MinJobAge} }, "[00:00:07 00:00:09]"},
		{"LastOneCounts", "KillWait=7\nKillWait=8", func(c *Conf) any { return c.KillWait }, "00:00:08"},
		{"BlanksAroundEquals", "KillWait = 7", func(c *Conf) any { return c.KillWait }, "00:00:07"},
		{"Quoted", `MailProg="/bin/x y # z" # remark`, func(c *Conf) any { return c.MailProg }, "/bin/x y # z"},
		{"EscapedHash", `MailProg=/bin/x\#y`, func(c *Conf) any { return c.MailProg }, "/bin/x#y"},
		{"Continued", "NodeName=n1 CPUs=4 \\\n  Weight=3\nKillWait=5", func(c *Conf) any { return []any{c.Nodes[0].Weight, c.KillWait} }, "[3 00:00:05]"},
		{"CommentBehindContinuation", "NodeName=n1 \\\n Weight=3 # x", func(c *Conf) any { return c.Nodes[0].Weight }, "3"},
		{"Ports", "SlurmctldPort=6817-6819", func(c *Conf) any { return []int{c.SlurmctldPort, c.SlurmctldPortEnd} }, "[6817 6819]"},
		{"Infinite", "KillWait=INFINITE", func(c *Conf) any { return c.KillWait }, "UNLIMITED"},
		{"Durations", "PriorityMaxAge=7-0\nPriorityDecayHalfLife=14-0\nPriorityCalcPeriod=10\nOverTimeLimit=5", func(c *Conf) any {
			return []any{c.PriorityMaxAge, c.PriorityDecayHalfLife, c.PriorityCalcPeriod, c.OverTimeLimit}
		}, "[7-00:00:00 14-00:00:00 00:10:00 00:05:00]"},
		{"Enforce", "AccountingStorageEnforce=limits,qos", func(c *Conf) any { return c.AccountingStorageEnforce }, "associations,limits,qos"},
		{"EnforceWCKeys", "AccountingStorageEnforce=wckeys", func(c *Conf) any { return []any{c.AccountingStorageEnforce, c.TrackWCKey} }, "[associations,wckeys true]"},
		{"Parameters", "SchedulerParameters=bf_continue,bf_interval=7,DEFER", func(c *Conf) any {
			return []any{c.SchedulerParameters.Has("BF_continue"), c.SchedulerParameters.Int("bf_interval", 30), c.SchedulerParameters.Int("bf_window", 1440), c.SchedulerParameters.Has("defer"), c.SchedulerParameters.Has("x")}
		}, "[true 7 1440 true false]"},
		{"PrologFlags", "PrologFlags=x11", func(c *Conf) any { return c.PrologFlags }, "[Alloc Contain X11]"},
		{"Prologs", "Prolog=/a\nProlog=/b,/c\nEpilog=none", func(c *Conf) any { return []any{c.Prolog, c.Epilog} }, "[[/a /b /c] []]"},
		{"PrologTimeouts", "PrologEpilogTimeout=60\nPrologTimeout=5", func(c *Conf) any { return []any{c.PrologTimeout, c.EpilogTimeout} }, "[00:00:05 00:01:00]"},
		{"Select", "SelectType=select/cons_res\nSelectTypeParameters=CR_Core,CR_Pack_Nodes", func(c *Conf) any { return []any{c.SelectType, c.SelectTypeParameters} }, "[select/cons_res [CR_CORE CR_PACK_NODES]]"},
		{"Licenses", "Licenses=matlab:4,ansys:2", func(c *Conf) any { return c.Licenses.Get("matlab") }, "4"},
		{"ExitCodes", "RequeueExit=1-10,42", func(c *Conf) any { return plainRuns(c.RequeueExit) }, "1-10,42"},
		{"Limits", "PropagateResourceLimitsExcept=RLIMIT_NOFILE,core", func(c *Conf) any { return c.PropagateResourceLimitsExcept }, "[NOFILE CORE]"},
		{"Weights", "PriorityWeightTRES=CPU=1000,GRES/gpu=3", func(c *Conf) any { return c.PriorityWeightTRES.Raw() }, "cpu=1000,gres/gpu=3"},
		{"Levels", "SlurmctldDebug=4\nSlurmdDebug=DEBUG2", func(c *Conf) any { return []any{c.SlurmctldDebug, c.SlurmdDebug} }, "[verbose debug2]"},
		{"OldHosts", "", func(c *Conf) any { return len(c.SlurmctldHost) }, "2"},
		{"Own", "CommandSocket=/run/%c/%n.sock\nSliceNamespaces=PID,mount\nSlicePrivateTmp=yes\nSliceCgroup=no\nSchedulerPolicy=fast", func(c *Conf) any {
			return []any{c.Expand(c.CommandSocket, "n1", "h1"), c.Slice, c.SchedulerPolicy}
		}, "[/run/test/n1.sock Cgroup=no;Namespaces=pid,mount;PrivateTmp=Yes fast]"},
		{"SettingsInOrder", "KillWait=1\nMailProg=/x", func(c *Conf) any {
			return []string{c.Settings[3].Key, c.Settings[4].Key, c.Settings[4].Value, fmt.Sprint(c.Settings[4].Line)}
		}, "[KillWait MailProg /x 5]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, _ := parseConfText(t, tt.text)
			if got := fmt.Sprint(tt.got(c)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestConfNodes(t *testing.T) {
	c, reports := parseConfText(t, `GresTypes=gpu
NodeName=DEFAULT Sockets=2 CoresPerSocket=8 RealMemory=64000 State=UNKNOWN
NodeName=DEFAULT Weight=5
NodeName=n[1-2] NodeHostname=vm NodeAddr=127.0.0.[1-2] Port=[17001-17002] Gres=gpu:a100:4(S:0-1),gpu:v100:1 Feature=fast,ib
NodeName=m1 CPUs=4 Sockets=1 CoresPerSocket=1 Features=slow Weight=1
NodeName=m2 CPUs=7 ThreadsPerCore=2
NodeName=b1 Boards=2 SocketsPerBoard=2 CoresPerSocket=4 ThreadsPerCore=2 TmpDisk=100 MemSpecLimit=10 CoreSpecCount=1 CPUSpecList=0-1
DownNodes=m1 State=drain Reason="bad fan"
`)
	var got []string
	for _, n := range c.Nodes {
		got = append(got, fmt.Sprintf("%s %s %s %d cpus=%d %d*%d*%d mem=%d weight=%d %v %s %s", n.Name, n.Hostname, n.Addr, n.Port, n.CPUs,
			n.Sockets, n.CoresPerSocket, n.ThreadsPerCore, int64(n.RealMemory), n.Weight, n.Features, NodeGresText(n.Gres), n.State+n.Reason))
	}
	want := []string{
		"n1 vm 127.0.0.1 17001 cpus=16 2*8*1 mem=64000 weight=5 [fast ib] gpu:a100:4(S:0-1),gpu:v100:1 UNKNOWN",
		"n2 vm 127.0.0.2 17002 cpus=16 2*8*1 mem=64000 weight=5 [fast ib] gpu:a100:4(S:0-1),gpu:v100:1 UNKNOWN",
		"m1 m1 m1 6818 cpus=1 1*1*1 mem=64000 weight=1 [slow] (null) DRAINbad fan",
		"m2 m2 m2 6818 cpus=32 2*8*2 mem=64000 weight=5 [] (null) UNKNOWN",
		"b1 b1 b1 6818 cpus=32 4*4*2 mem=64000 weight=5 [] (null) UNKNOWN",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	resets := 0
	for _, k := range reports {
		if k.Key == "CPUs" && k.Verdict == Ignored {
			resets++
		}
	}
	if resets != 2 {
		t.Errorf("%d numbers of CPUs gave way, want those of m1 and m2", resets)
	}
	lone, _ := parseConfText(t, "NodeName=x CPUs=6\nNodeName=y\n")
	if lone.Nodes[0].Sockets != 6 || lone.Nodes[1].CPUs != 1 {
		t.Errorf("CPUs alone: %+v", lone.Nodes)
	}
}

func TestConfPartitions(t *testing.T) {
	c, _ := parseConfText(t, `NodeName=n[1-4] Feature=all
NodeName=g[1-2] Feature=all,gpu
NodeSet=gpus Feature=gpu
NodeSet=some Nodes=n[2-3]
OverTimeLimit=3
SliceNamespaces=pid
PartitionName=DEFAULT MaxTime=1:30 State=UP
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE
PartitionName=short Nodes=gpus,n1,some,n2 Default=YES DefaultTime=1 PriorityTier=7 AllowAccounts=a,b DenyQos=low AllowQos=ALL
PartitionName=a,b Nodes=n1 Shared=FORCE:2 State=drain MaxNodes=2 MinNodes=1 MaxMemPerCPU=100 SlicePrivateTmp=yes Priority=9
PartitionName=none Nodes="" TRESBillingWeights=CPU=1.0,Mem=0.25G,GRES/gpu=2 PreemptMode=requeue,gang MaxCPUsPerNode=UNLIMITED ExclusiveUser=yes
`)
	var got []string
	for _, p := range c.Partitions {
		slice := "cluster"
		if p.Slice != nil {
			slice = fmt.Sprint(*p.Slice)
		}
		got = append(got, fmt.Sprintf("%s [%s] %v %s %s/%s %d %d %s:%d %v %v %v %s", p.Name, p.Nodes, p.Default, p.State, p.DefaultTime, p.MaxTime,
			p.PriorityTier, p.MaxNodes, p.OverSubscribe, p.OverSubscribeJobs, p.AllowAccounts, p.DenyQOS, p.TRESBillingWeights, slice))
	}
	want := []string{
		"debug [n[1-4],g[1-2]] false UP INVALID/UNLIMITED 1 0 NO:0 [] [] [] cluster",
		"short [g[1-2],n[1-3]] true UP 00:01:00/00:02:00 7 0 NO:0 [a b] [low] [] cluster",
		"a [n1] false DRAIN INVALID/00:02:00 9 2 FORCE:2 [] [] [] Namespaces=pid;PrivateTmp=Yes",
		"b [n1] false DRAIN INVALID/00:02:00 9 2 FORCE:2 [] [] [] Namespaces=pid;PrivateTmp=Yes",
		"none [] false UP INVALID/00:02:00 1 0 NO:0 [] [] [{cpu 1 0} {mem 0.25 71} {gres/gpu 2 0}] cluster",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	p, ok := c.Partition("NONE")
	if !ok || !p.ExclusiveUser || !slices.Equal(p.PreemptMode, []string{"REQUEUE", "GANG"}) {
		t.Errorf("partition none: %+v", p)
	}
}

func TestConfMistakesNameTheLine(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"UnknownKey", "Foo=3", `/etc/slurm.conf:4: cannot use Foo=3: there is no such key`},
		{"NoValue", "MailProg=", `/etc/slurm.conf:4: cannot read "MailProg=": the value is missing`},
		{"NoEquals", "\nMailProg", `/etc/slurm.conf:5: cannot read "MailProg": want Key=value`},
		{"SecondKey", "MailProg=a MailDomain=b", `/etc/slurm.conf:4: cannot use MailDomain=b: only lines of nodes and partitions may hold several keys`},
		{"Stray", "MailProg=a stray", `/etc/slurm.conf:4: cannot read "stray": want Key=value`},
		{"OpenQuote", `MailProg="a`, `/etc/slurm.conf:4: cannot read "MailProg=\"a": the quote is not closed`},
		{"NotANumber", "KillWait=5x", `/etc/slurm.conf:4: cannot use KillWait=5x: "5x" is not a valid number`},
		{"NotYesOrNo", "TrackWCKey=maybe", `/etc/slurm.conf:4: cannot use TrackWCKey=maybe: "maybe" is neither yes nor no`},
		{"LineOfContinuation", "NodeName=n1 \\\n Bogus=1", `/etc/slurm.conf:4: cannot use Bogus=1: there is no such key on a line of this kind`},
		{"BadParameter", "SchedulerParameters=bf_interval=x", `/etc/slurm.conf:4: cannot use SchedulerParameters=bf_interval=x: bf_interval: the value "x" is not a number`},
		{"OtherAuth", "AuthAltTypes=auth/foo", `/etc/slurm.conf:4: cannot use AuthAltTypes=auth/foo: "auth/foo" is none of auth/jwt`},
		{"KeySets", "AuthAltParameters=jwt_key=/k,jwks=/x", `/etc/slurm.conf:4: cannot use AuthAltParameters=jwt_key=/k,jwks=/x: jwks: tokens are signed with the key of jwt_key`},
		{"TokenLife", "AuthAltParameters=max_token_lifespan=1h", `/etc/slurm.conf:4: cannot use AuthAltParameters=max_token_lifespan=1h: max_token_lifespan: the value "1h" is not a number`},
		{"SubmitFilter", "JobSubmitPlugins=lua", `/etc/slurm.conf:4: cannot use JobSubmitPlugins=lua: submit filters cannot be loaded`},
		{"NodeTwice", "NodeName=n1\nNodeName=n[0-2]", `/etc/slurm.conf:5: cannot use node n1: it is described at /etc/slurm.conf:4 already`},
		{"Spread", "NodeName=n[1-3] NodeAddr=a,b", `/etc/slurm.conf:4: cannot use NodeName=n[1-3]: NodeAddr=a,b stands for 2 hosts, the line for 3 nodes`},
		{"GresWithoutType", "NodeName=n1 Gres=gpu:2", `/etc/slurm.conf:4: cannot use Gres=gpu:2 of node n1: GresTypes has no gpu`},
		{"UnknownNode", "PartitionName=p Nodes=n1", `/etc/slurm.conf:4: cannot use Nodes=n1 of partition p: no NodeName line describes n1`},
		{"PartitionTwice", "PartitionName=p\nPartitionName=P", `/etc/slurm.conf:5: cannot use partition P: it is described at /etc/slurm.conf:4 already`},
		{"PartitionState", "PartitionName=p State=foo", `/etc/slurm.conf:4: cannot use State=foo: "foo" is none of UP, DOWN, DRAIN, INACTIVE`},
		{"DefaultTime", "PartitionName=p MaxTime=5 DefaultTime=6", `/etc/slurm.conf:4: cannot use DefaultTime=00:06:00 of partition p: MaxTime is 00:05:00`},
		{"HostTwice", "SlurmctldHost=c1", `/etc/slurm.conf:4: cannot use SlurmctldHost=c1: the host is named twice`},
		{"SelectTwice", "SelectTypeParameters=CR_CPU,CR_Core", `/etc/slurm.conf:4: cannot use SelectTypeParameters=CR_CPU,CR_Core: only one of`},
		{"Namespaces", "SliceNamespaces=pids", `/etc/slurm.conf:4: cannot use SliceNamespaces=pids: "pids" is none of pid, mount`},
		{"MissingInclude", "Include nosuch", `/etc/slurm.conf:4: cannot include "nosuch": open /etc/nosuch: file does not exist`},
		{"JobIds", "FirstJobId=9\nMaxJobId=5", `/etc/slurm.conf:0: cannot use FirstJobId=9 above MaxJobId=5`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := ParseConf("/etc/slurm.conf", files(map[string]string{"/etc/slurm.conf": confHead + tt.text + "\n"}))
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
	_, _, err := ParseConf("x", files(map[string]string{"x": "KillWait=1\nFoo=1\nBar=2\n"}))
	for _, want := range []string{"x:2:", "x:3:", "without ClusterName", "without SlurmctldHost"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("one error should hold every mistake; %q is not in %v", want, err)
		}
	}
	var e *ConfError
	if !errors.As(err, &e) || e.Line != 2 {
		t.Errorf("the place is lost: %#v", e)
	}
	if _, _, err := ParseConf("gone", files(nil)); err == nil || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestConfReports(t *testing.T) {
	_, reports := parseConfText(t, "AuthType=auth/munge\nSchedulerParameters=enable_user_top,bf_yield_sleep=5,nonsense\nKillWait=3\nKillWait=4\nTopologyPlugin=topology/3d_torus\nNodeName=n1 BcastAddr=x\n")
	got := map[string]string{}
	for _, k := range reports {
		got[k.Key] += k.Verdict.String() + " "
		if k.Verdict != Honoured && k.Why == "" {
			t.Errorf("%s has no reason", k)
		}
	}
	want := map[string]string{"AuthType": "ignored ", "SchedulerParameters": "honoured ", "SchedulerParameters:enable_user_top": "honoured ",
		"SchedulerParameters:bf_yield_sleep": "ignored ", "SchedulerParameters:nonsense": "ignored ", "KillWait": "ignored honoured ",
		"TopologyPlugin": "ignored ", "BcastAddr": "ignored ", "NodeName": "honoured ", "ClusterName": "honoured ", "SlurmctldHost": "honoured honoured "}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
	if text := CheckText(reports); !strings.Contains(text, "/etc/slurm.conf:4: AuthType=auth/munge ignored: who calls") || !strings.HasSuffix(text, "keys are honoured\n") {
		t.Errorf("check: %s", text)
	}
}

func TestAuthAlt(t *testing.T) {
	for _, tt := range []struct{ text, verdicts string }{
		{"AuthAltTypes=auth/jwt\nAuthAltParameters=jwt_key=/k,disable_token_creation,max_token_lifespan=60,x", "honoured honoured honoured honoured honoured ignored"},
		{"AuthAltTypes=jwt", "honoured"},
		{"AuthAltTypes=auth/slurm,auth/jwt", "honoured"},
		{"AuthAltTypes=auth/munge", "ignored"},
	} {
		c, reports := parseConfText(t, tt.text+"\n")
		var got []string
		for _, k := range reports {
			if strings.HasPrefix(k.Key, "AuthAlt") {
				got = append(got, k.Verdict.String())
			}
		}
		if strings.Join(got, " ") != tt.verdicts || slices.Contains(c.AuthAltTypes, AuthJWT) != (tt.verdicts[0] == 'h') {
			t.Errorf("%s: %v, %v; want %s", tt.text, got, c.AuthAltTypes, tt.verdicts)
		}
	}
}

func TestConfInclude(t *testing.T) {
	read := files(map[string]string{
		"/etc/slurm.conf":       confHead + "Include nodes.%c\ninclude \"/etc/sub/p.conf\"\nKillWait=3\n",
		"/etc/nodes.Test":       "NodeName=n1 Bad=1\n",
		"/etc/sub/p.conf":       "Include deeper.conf\nPartitionName=p Nodes=n2\n",
		"/etc/deeper.conf":      "NodeName=n2\n",
		"/etc/loop.conf":        confHead + "Include loop.conf\n",
		"/etc/sub/unrelated.cf": "",
	})
	c, _, err := ParseConf("/etc/slurm.conf", read)
	if err == nil || err.Error() != "/etc/nodes.Test:1: cannot use Bad=1: there is no such key on a line of this kind" {
		t.Errorf("the mistake of an included file: %v", err)
	}
	if c.KillWait != 3 || len(c.Partitions) != 1 || c.Partitions[0].Nodes.String() != "n2" || len(c.Texts) != 4 || c.Texts[3].Path != "/etc/deeper.conf" {
		t.Errorf("included: %+v, %d texts", c.Partitions, len(c.Texts))
	}
	again, _, _ := ParseConf(c.Texts[0].Path, TextReader(c.Texts))
	if !slices.Equal(showAll(again), showAll(c)) || len(again.Nodes) != len(c.Nodes) {
		t.Error("the texts that were read do not read as the same again")
	}
	if _, _, err := ParseConf("/etc/loop.conf", read); err == nil || !strings.Contains(err.Error(), "files include each other more than 8 deep") {
		t.Errorf("a file that includes itself: %v", err)
	}
}

func TestConfOldControllerKeys(t *testing.T) {
	c, _, err := ParseConf("x", files(map[string]string{"x": "ClusterName=a\nControlMachine=m\nControlAddr=1.2.3.4\nBackupController=b\n"}))
	if err != nil || fmt.Sprint(c.SlurmctldHost) != "[m(1.2.3.4) b]" {
		t.Errorf("got %v, %v", c.SlurmctldHost, err)
	}
}

func TestGresConf(t *testing.T) {
	g, reports, err := ParseGresConf("/etc/gres.conf", files(map[string]string{"/etc/gres.conf": `AutoDetect=nvml
NodeName=n[1-2] Name=gpu Type=a100 File=/dev/nvidia[0-3] Cores=0-7 Flags=nvidia_gpu_env
NodeName=n2 Name=shard Count=8
Name=nic File=/dev/a,/dev/b Links=-1,0 # everywhere
NodeName=n3 AutoDetect=off Name=gpu Type=1g.5gb MultipleFiles=/dev/x[0-1] Count=1 Ignore=yes
`}))
	if err != nil {
		t.Fatal(err)
	}
	show := func(node string) string {
		lines, auto := g.ForNode(node)
		out := []string{auto}
		for _, l := range lines {
			out = append(out, fmt.Sprintf("%s:%s:%d%v%v", l.Name, l.Type, l.Count, l.Files, l.MultipleFiles))
		}
		return strings.Join(out, " ")
	}
	for node, want := range map[string]string{
		"n1": "nvml gpu:a100:4[/dev/nvidia0 /dev/nvidia1 /dev/nvidia2 /dev/nvidia3][] nic::2[/dev/a /dev/b][]",
		"n2": "nvml gpu:a100:4[/dev/nvidia0 /dev/nvidia1 /dev/nvidia2 /dev/nvidia3][] shard::8[][] nic::2[/dev/a /dev/b][]",
		"n3": "off nic::2[/dev/a /dev/b][] gpu:1g.5gb:1[][/dev/x0 /dev/x1]",
	} {
		if got := show(node); got != want {
			t.Errorf("%s: got %s, want %s", node, got, want)
		}
	}
	if g.Lines[0].Cores.String() != "0-7" || g.Lines[0].Flags[0] != "nvidia_gpu_env" || len(reports) != 20 {
		t.Errorf("cores %s, flags %v, %d reports", g.Lines[0].Cores, g.Lines[0].Flags, len(reports))
	}
	for text, want := range map[string]string{
		"Name=gpu File=dev/x":               `g:1: cannot use File=dev/x: "dev/x" is not an absolute path`,
		"Name=gpu Count=3 File=/dev/[0-1]":  "g:1: cannot use Count=3 with 2 files: a GPU is one file",
		"NodeName=n1 Type=x":                "g:1: cannot use a line without Name",
		"AutoDetect=rsmi":                   "g:1: cannot use AutoDetect=rsmi: GPUs are found through NVML alone",
		"Name=gpu File=/a MultipleFiles=/b": "g:1: cannot use File and MultipleFiles together",
		"Name=gpu Bogus=1":                  "g:1: cannot use Bogus=1: there is no such key",
	} {
		if _, _, err := ParseGresConf("g", files(map[string]string{"g": text})); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// TestGoneKeys: what only older releases knew is read as if it were not there, and said to be gone.
func TestGoneKeys(t *testing.T) {
	text := "CacheGroups=0\nSchedulerPort=7321\nSchedulerRootFilter=1\nCheckpointType=checkpoint/none\nJobCheckpointDir=/x\nMemLimitEnforce=no\n" +
		"AccountingStorageLoc=/x\nDefaultStorageType=none\nDefaultStoragePass=x\nChosLoc=/x\nLayouts=power\nMsgAggregationParams=WindowMsgs=10\nSchedulerAuth=x\n"
	_, reports := parseConfText(t, text)
	gone := 0
	for _, r := range reports {
		if r.Gone() {
			gone++
		}
	}
	if gone != strings.Count(text, "\n") {
		t.Errorf("%d of %d keys are gone: %v", gone, strings.Count(text, "\n"), reports)
	}
	_, reports, err := ParseCgroupConf("c", files(map[string]string{"c": "AllowedDevicesFile=/x\nCgroupReleaseAgentDir=/x\nTaskAffinity=yes\nConstrainKmemSpace=no\nCgroupMountpoint=/x\n"}))
	if err != nil || len(reports) != 5 || !reports[0].Gone() || !reports[1].Gone() || !reports[2].Gone() || reports[3].Verdict != Ignored || reports[4].Verdict != Ignored {
		t.Errorf("%v, %v", reports, err)
	}
}

// TestPluginsWithoutKind: the kind before the name of a plugin may be left out.
func TestPluginsWithoutKind(t *testing.T) {
	c, _ := parseConfText(t, "TaskPlugin=affinity,cgroup\nSelectType=cons_tres\nSchedulerType=builtin\nPreemptType=qos\nPriorityType=multifactor\nJobAcctGatherType=linux\n")
	got := strings.Join(c.TaskPlugin, ",") + " " + c.SelectType + " " + c.SchedulerType + " " + c.PreemptType + " " + c.PriorityType + " " + c.JobAcctGatherType
	if want := "task/affinity,task/cgroup select/cons_tres sched/builtin preempt/qos priority/multifactor jobacct_gather/linux"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestCgroupConf(t *testing.T) {
	c, _, err := ParseCgroupConf("c", files(map[string]string{"c": "ConstrainRAMSpace=yes\nConstrainCores=no\nAllowedSwapSpace=12.5\nCgroupAutomount=yes\nEnableExtraControllers=pids,io\n"}))
	if err != nil || !c.ConstrainRAM || c.ConstrainCores || c.AllowedSwapSpace != 12.5 || c.AllowedRAMSpace != 100 || c.Plugin != "autodetect" || !slices.Equal(c.ExtraControllers, []string{"pids", "io"}) {
		t.Errorf("%+v, %v", c, err)
	}
	for text, want := range map[string]string{
		"CgroupPlugin=cgroup/v1":    "c:1: cannot use CgroupPlugin=cgroup/v1: cgroups are of version 2",
		"AllowedRAMSpace=many":      `c:1: cannot use AllowedRAMSpace=many: "many" is not a percentage`,
		"ConstrainCores=no Extra=1": "c:1: cannot use Extra=1: a line holds one key",
	} {
		if _, _, err := ParseCgroupConf("c", files(map[string]string{"c": text})); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestConfShow(t *testing.T) {
	c, _ := parseConfText(t, "DefMemPerCPU=100\nSchedulerParameters=defer\nAuthInfo=cred_expire=5\nSlurmUser=slurm\nAccountingStorageTRES=gres/gpu,cpu\nDefCpuPerGPU=2\nNodeName=n[1-3]\n")
	uid := func(name string) (uint32, bool) { return 64030, name == "slurm" }
	lines := map[string]string{}
	var keys []string
	for _, l := range c.Show(ConfFacts{BootTime: "now", NextJobID: 7, Version: "22.05.8", UID: uid}) {
		if _, twice := lines[l.Key]; twice {
			t.Errorf("%s stands twice", l.Key)
		}
		lines[l.Key] = l.Value
		keys = append(keys, l.Key)
	}
	for key, want := range map[string]string{"AccountingStorageTRES": "cpu,mem,energy,node,billing,fs/disk,vmem,pages,gres/gpu", "AuthInfo": "cred_expire=5",
		"DefMemPerCPU": "100", "MaxMemPerNode": "UNLIMITED", "SlurmUser": "slurm(64030)", "SlurmdUser": "root", "SlurmctldHost[0]": "c1(10.0.0.1)",
		"SlurmctldHost[1]": "c2", "KillWait": "30 sec", "NEXT_JOB_ID": "7", "MaxNodeCount": "3", "PrologEpilogTimeout": "65534", "DefCpuPerGPU": "2",
		"PriorityMaxAge": "7-00:00:00", "ResumeRate": "300 nodes/min", "OverTimeLimit": "0 min", "SchedulerParameters": "defer", "Prolog": "(null)"} {
		if lines[key] != want {
			t.Errorf("%s = %q, want %q", key, lines[key], want)
		}
	}
	for _, absent := range []string{"DefMemPerNode", "MaxMemPerCPU", "CertgenType", "SliceCgroup", "Include"} {
		if v, ok := lines[absent]; ok {
			t.Errorf("%s = %s should not be listed", absent, v)
		}
	}
	if i, j := slices.Index(keys, "MpiParams"), slices.Index(keys, "NEXT_JOB_ID"); j != i+2 {
		t.Errorf("NEXT_JOB_ID is not behind MpiParams: %v", keys)
	}
	if got := (ConfLine{"KillWait", "30 sec"}).String(); got != "KillWait                = 30 sec" {
		t.Errorf("line %q", got)
	}
}

// The configuration of the cluster that the recorded behaviour was taken from.
func TestRecordedCluster(t *testing.T) {
	page, err := os.ReadFile("../../shared/conformance/cluster.md")
	if err != nil {
		t.Skipf("the description of the recorded cluster is not here: %v", err)
	}
	block := func(title string) string {
		_, rest, ok := strings.Cut(string(page), "\n## "+title+"\n")
		if !ok {
			t.Fatalf("no block %s", title)
		}
		rest, _, _ = strings.Cut(rest, "\n## ")
		var b strings.Builder
		for line := range strings.Lines(rest) {
			if text, ok := strings.CutPrefix(line, "    "); ok {
				b.WriteString(text)
			}
		}
		return b.String()
	}
	read := files(map[string]string{"slurm.conf": block("slurm.conf"), "gres.conf": block("gres.conf")})
	c, reports, err := ParseConf("slurm.conf", read)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Nodes) != 4 || len(c.Partitions) != 5 || c.FirstJobID != 700001 || c.Nodes[2].Port != 17003 || c.Nodes[0].Hostname != "vm" ||
		NodeGresText(c.Nodes[2].Gres) != "gpu:v100:2" || c.Partitions[1].DefaultTime != 600 || c.Partitions[0].Nodes.String() != "n[1-4]" {
		t.Errorf("read wrongly: %+v", c)
	}
	if c.SlurmctldHost[0].String() != "vm(127.0.0.1)" || c.SchedulerParameters.Int("bf_interval", 0) != 1 || !c.SchedulerParameters.Has("enable_user_top") {
		t.Errorf("hosts %v, parameters %v", c.SlurmctldHost, c.SchedulerParameters)
	}
	for _, k := range reports {
		if k.Verdict == Refused {
			t.Errorf("%s", k)
		}
	}
	g, _, err := ParseGresConf("gres.conf", read)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{4, 4, 2, 0} {
		n := 0
		lines, _ := g.ForNode(c.Nodes[i].Name)
		for _, l := range lines {
			n += len(l.Files)
		}
		if n != want {
			t.Errorf("%s has %d devices, want %d", c.Nodes[i].Name, n, want)
		}
	}
}

// Every key of the list is known in the file it belongs to.
func TestEveryKeyIsKnown(t *testing.T) {
	rules := map[string][]paramRule{"SchedulerParameters": nil, "SlurmctldParameters": nil, "LaunchParameters": nil}
	for _, k := range confKeys() {
		if _, ok := rules[k.name]; ok {
			rules[k.name] = k.rules
		}
	}
	known := map[string]func(name string) bool{
		"slurm.conf": func(name string) bool {
			return name == "Include" || slices.ContainsFunc(confKeys(), func(k confKey) bool { return strings.EqualFold(k.name, name) })
		},
		"slurm.conf NodeName":             func(n string) bool { return n == "NodeName" || recordKeyOf(nodeKeys, n) != nil },
		"slurm.conf PartitionName":        func(n string) bool { return n == "PartitionName" || recordKeyOf(partitionKeys, n) != nil },
		"gres.conf":                       func(n string) bool { return recordKeyOf(gresKeys, n) != nil },
		"cgroup.conf":                     func(n string) bool { return recordKeyOf(cgroupKeys, n) != nil },
		"slurm.conf PrologFlags":          func(n string) bool { return setPrologFlags(&Conf{}, n) == nil },
		"slurm.conf SelectTypeParameters": func(n string) bool { return setSelectParameters(&Conf{}, n) == nil },
	}
	for key, list := range rules {
		known["slurm.conf "+key] = func(n string) bool {
			n, _, _ = strings.Cut(n, "=")
			return slices.ContainsFunc(list, func(r paramRule) bool { return r.name == n || r.matches(n) })
		}
	}
	count := 0
	for _, row := range surface(t, "conf.tsv") {
		is, ok := known[row[0]]
		if !ok {
			continue
		}
		for _, name := range strings.Split(row[1], ", ") {
			count++
			if !is(name) {
				t.Errorf("%s: %s is not known", row[0], name)
			}
		}
	}
	if count < 400 {
		t.Errorf("only %d keys were compared", count)
	}
}

// FuzzConf: nothing panics, every mistake has words, and the settings of what
// is accepted, written out again, read as the same configuration.
func FuzzConf(f *testing.F) {
	for _, seed := range []string{"KillWait=3\n", "NodeName=n[1-3] CPUs=4 Port=[1-3] \\\n Gres=gpu:2\n", "PartitionName=p Nodes=ALL MaxTime=5\n", "Include x\n",
		"SchedulerParameters=bf_interval=3,defer\n", "MailProg=\"a b\" # c\n", "NodeSet=s Feature=x\nDownNodes=n1\n", "TRESBillingWeights=a\n", "Licenses=a:3\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		read := files(map[string]string{"c": confHead + text, "x": text})
		c, reports, err := ParseConf("c", read)
		if err != nil && err.Error() == "" {
			t.Fatal("an error without words")
		}
		c.Show(ConfFacts{})
		CheckText(reports)
		_, _, _ = ParseGresConf("x", read)
		_, _, _ = ParseCgroupConf("x", read)
		if err != nil {
			return
		}
		var b strings.Builder
		for _, s := range c.Settings {
			fmt.Fprintf(&b, "%s=\"%s\"\n", s.Key, strings.ReplaceAll(s.Value, `\`, `\\`))
		}
		if strings.Contains(b.String(), `\`) || strings.Count(b.String(), `"`) != 2*len(c.Settings) {
			return // what cannot be quoted again
		}
		again, _, err := ParseConf("d", files(map[string]string{"d": b.String()}))
		if err != nil {
			t.Fatalf("%q written as %q: %v", text, b.String(), err)
		}
		if !slices.Equal(showAll(again), showAll(c)) {
			t.Fatalf("%q written as %q: %v, %v", text, b.String(), showAll(again), showAll(c))
		}
	})
}

func showAll(c *Conf) []string {
	nodes := c.Nodes
	c.Nodes = nil
	defer func() { c.Nodes = nodes }()
	var out []string
	for _, l := range c.Show(ConfFacts{}) {
		out = append(out, l.String())
	}
	return out
}

func TestConfContinuedList(t *testing.T) {
	text := "ClusterName=c\nSlurmctldHost=h\nSchedulerParameters=bf_window=2880,\\\nbf_interval=30,\\\nbf_continue\nNodeName=n[1-2]\\\n CPUs=4 \\\nRealMemory=\\\n100\nPartitionName=p Nodes=n1,\\\nn2\n"
	conf, _, err := ParseConf("/etc/slurm.conf", func(string) ([]byte, error) { return []byte(text), nil })
	if err != nil {
		t.Fatal(err)
	}
	if got := conf.SchedulerParameters.String(); got != "bf_window=2880,bf_interval=30,bf_continue" {
		t.Errorf("SchedulerParameters=%s", got)
	}
	if n := conf.Nodes[1]; n.CPUs != 4 || n.RealMemory != 100 || conf.Partitions[0].Nodes.Len() != 2 {
		t.Errorf("node %+v, partition %+v", n, conf.Partitions[0])
	}
}
