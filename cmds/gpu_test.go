package cmds_test

import (
	"cmp"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/runink/rink/gpu/probe/probetest"
)

// gpuDescription is a machine with eight A100: pairs tied by NVLinks, two of them cut
// into instances.
func gpuDescription() string {
	var b strings.Builder
	b.WriteString("driver 550.54.15 12040\n")
	for i := range 8 {
		mig := ""
		if i >= 6 {
			mig = " mig=1"
		}
		fmt.Fprintf(&b, "gpu %d uuid=GPU-%d name=NVIDIA_A100-SXM4-80GB pci=00000000:%02x:00.0 memory=81920 numa=%d util=50 used=2048%s\n", i, i, 16+i, i/4, mig)
		if i%2 == 1 {
			fmt.Fprintf(&b, "link %d %d 12\n", i-1, i)
		}
	}
	for _, g := range []int{6, 7} {
		for gi := 1; gi <= 2; gi++ {
			fmt.Fprintf(&b, "instance %d %d 0 MIG-%d-%d 1g.10gb 9728\n", g, gi, g, gi)
		}
	}
	return b.String()
}

// gpuDevices makes, in a mount namespace of the process's own, the device files and
// what the driver tells under /proc, and becomes the agent.
const gpuDevices = `set -e
mount --make-rprivate /
mount -t tmpfs t /proc/driver
mkdir "$1" && mount -t tmpfs -o mode=755 t "$1"
for f in null zero full random urandom tty; do : >"$1/$f"; mount --bind /dev/$f "$1/$f"; done
mkdir "$1/pts" "$1/shm" "$1/nvidia-caps"; mount --bind /dev/pts "$1/pts"; mount -t tmpfs -o mode=1777 t "$1/shm"; ln -s pts/ptmx "$1/ptmx"
ln -s /proc/self/fd "$1/fd"
cap=20
for i in 0 1 2 3 4 5 6 7; do mknod -m 666 "$1/nvidia$i" c 195 $i; done
for g in 6 7; do for gi in 1 2; do for at in gi$gi gi$gi/ci0; do
	cap=$((cap+1)); d=/proc/driver/nvidia/capabilities/gpu$g/mig/$at; mkdir -p $d
	printf 'DeviceFileMinor: %d\nDeviceFileMode: 292\n' $cap >$d/access; mknod -m 666 "$1/nvidia-caps/nvidia-cap$cap" c 240 $cap
done; done; done
for g in 0 1; do for gi in 1 2 3 4 5 6 7; do for at in gi$gi gi$gi/ci0; do
	cap=$((cap+1)); d=/proc/driver/nvidia/capabilities/gpu$g/mig/$at; mkdir -p $d
	printf 'DeviceFileMinor: %d\nDeviceFileMode: 292\n' $cap >$d/access; mknod -m 666 "$1/nvidia-caps/nvidia-cap$cap" c 240 $cap
done; done; done
mount --rbind "$1" /dev
shift
exec "$@"
`

// gpuCluster is a controller and two agents, each a process of its own with eight
// GPUs of its own.
type gpuCluster struct {
	cluster
	desc   [2]string
	agents [2]*exec.Cmd
	start  func(i int) // an agent
}

// gpuSetup is what a cluster with GPUs is to be like.
type gpuSetup struct {
	describe   func(node int) string // the GPUs of a node, from 1
	gres       string                // what slurm.conf says of each node
	gresConf   string                // "": found through NVML
	exact      bool                  // the nodes are held to what is configured
	conf, herd string                // more lines, and more of the partition's
	env        []string              // more of the agents' environment
	up         string                // what sinfo says of the nodes once they are there; "": both are idle
}

func startGPUs(t *testing.T, setup gpuSetup) *gpuCluster {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("device files and the devices cgroup need root")
	}
	for _, f := range []string{"/sys/fs/cgroup/devices/cgroup.procs", "/sys/fs/cgroup/cgroup.controllers"} {
		if _, err := os.Stat(f); err == nil {
			break
		} else if f == "/sys/fs/cgroup/cgroup.controllers" {
			t.Skip("no devices cgroup: ", err)
		}
	}
	lib := probetest.Build(t)
	c := &gpuCluster{cluster: cluster{t: t, dir: shortDir(t)}}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	var ports [3]int
	var held [3]net.Listener // until all are found, so that none is found twice
	for i := range ports {
		if held[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		ports[i] = held[i].Addr().(*net.TCPAddr).Port
	}
	for _, l := range held {
		l.Close()
	}
	write := func(name, text string) string {
		path := filepath.Join(c.dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	conf := fmt.Sprintf(`ClusterName=gpus
SlurmctldHost=%s(127.0.0.1)
SlurmctldPort=%d
StateSaveLocation=%[3]s/ctld
SlurmdSpoolDir=%[3]s/%%n
CommandSocket=%[3]s/%%d.sock
%[4]sReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=10
KillWait=2
SliceNamespaces=pid,mount,ipc
GresTypes=gpu,shard,mps
`, host, ports[0], c.dir, map[bool]string{false: "SlurmdParameters=config_overrides\n"}[setup.exact])
	size := "CPUs=16 RealMemory=8000"
	if setup.exact {
		size = "CPUs=1 RealMemory=100"
	}
	for i := range 2 {
		conf += fmt.Sprintf("NodeName=g%d NodeHostname=%s NodeAddr=127.0.0.1 Port=%d %s Gres=%s\n", i+1, host, ports[i+1], size, setup.gres)
	}
	conf += setup.conf + "PartitionName=debug Nodes=ALL Default=YES State=UP " + setup.herd + "\n"
	c.conf = write("slurm.conf", conf)
	write("gres.conf", cmp.Or(setup.gresConf, "AutoDetect=nvml\n"))
	write("cgroup.conf", "ConstrainDevices=yes\n")
	script := write("devices.sh", gpuDevices)
	for i := range c.desc {
		c.desc[i] = filepath.Join(c.dir, fmt.Sprintf("gpus%d", i+1))
		probetest.Describe(t, c.desc[i], setup.describe(i+1))
	}
	find := func(name string) string {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	run := func(cmd *exec.Cmd) {
		log, err := os.Create(filepath.Join(c.dir, fmt.Sprintf("log%d", time.Now().UnixNano())))
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stdout, cmd.Stderr = log, log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			cmd.Process.Signal(syscall.SIGTERM)
			cmd.Wait()
			log.Close()
			if t.Failed() {
				text, _ := os.ReadFile(log.Name())
				t.Logf("%v:\n%s", cmd.Args, tailOf(string(text)))
			}
		})
	}
	t.Cleanup(func() {
		for _, pid := range c.launchers() {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	run(exec.Command(find("rinkctld"), "-D", "-f", c.conf))
	started := 0 // each agent in a place of its own
	c.start = func(i int) {
		started++
		cmd := exec.Command("unshare", "-m", "sh", script, filepath.Join(c.dir, fmt.Sprintf("dev%d.%d", i+1, started)),
			find("rinknoded"), "-D", "-f", c.conf, "-N", fmt.Sprintf("g%d", i+1))
		cmd.Env = append(append(os.Environ(), "LD_LIBRARY_PATH="+lib, probetest.Variable+"="+c.desc[i]), setup.env...)
		run(cmd)
		c.agents[i] = cmd
	}
	for i := range c.desc {
		c.start(i)
	}
	c.wait("sinfo", cmp.Or(setup.up, "idle 2"), "-h", "-o", "%t %D")
	return c
}

// wait repeats a command until its output has the text.
func (c *gpuCluster) wait(name, text string, args ...string) string {
	c.t.Helper()
	out := ""
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		var err error
		if out, err = c.do(name, args...); err == nil && strings.Contains(out, text) {
			return out
		}
	}
	c.t.Fatalf("%s %v does not come to say %q:\n%s\n%s", name, args, text, out, c.must("scontrol", "show", "node", "-d"))
	return ""
}

// until waits until something has come about.
func (c *gpuCluster) until(done func() bool, what string) {
	c.t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatalf("not in half a minute: %q", what)
		}
	}
}

// sees says which devices can be opened: one that has no driver behind it answers
// "No such device or address", one behind the fence "Operation not permitted".
const sees = `for d in /dev/nvidia? /dev/nvidia-caps/nvidia-cap2[1-8]; do
	m=$( (: <$d) 2>&1 ); case $m in *"not permitted"*) ;; *"No such device"*) s="$s${d##*/} ";; *) echo "$d: $m";; esac
done; echo "$s"; `

// TestGPUs runs jobs on two agents that find eight GPUs each through NVML's binary
// interface: they see and can open exactly what they were given.
func TestGPUs(t *testing.T) {
	c := startGPUs(t, gpuSetup{describe: func(int) string { return gpuDescription() }, gres: "gpu:a100:6,gpu:1g.10gb:4,shard:48", conf: "GPUQuietTime=2\n"})
	run := func(args ...string) string {
		t.Helper()
		return c.must("srun", args...)
	}
	if n := c.must("scontrol", "show", "node", "-d", "g1"); !strings.Contains(n, "Gres=gpu:a100:6,gpu:1g.10gb:4,shard:48") || !strings.Contains(n, "GresDrain=N/A") ||
		!strings.Contains(n, "GresUsed=gpu:a100:0(IDX:N/A),gpu:1g.10gb:0(IDX:N/A),shard:0,mps:0") {
		t.Errorf("the node is not what was found:\n%s", n)
	}
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"AllOfAType", []string{"--gres=gpu:a100:6"}, "nvidia0 nvidia1 nvidia2 nvidia3 nvidia4 nvidia5 \n0,1,2,3,4,5 GPU-0,GPU-1,GPU-2,GPU-3,GPU-4,GPU-5"},
		{"APair", []string{"--gres=gpu:a100:2"}, "nvidia0 nvidia1 \n0,1 GPU-0,GPU-1"},
		{"None", nil, "\n "},
		{"OneInstance", []string{"--gres=gpu:1g.10gb:1"}, "nvidia6 nvidia-cap21 nvidia-cap22 \nMIG-6-1 MIG-6-1"},
		{"InstancesOfTwo", []string{"--gres=gpu:1g.10gb:3"},
			"nvidia6 nvidia7 nvidia-cap21 nvidia-cap22 nvidia-cap23 nvidia-cap24 nvidia-cap25 nvidia-cap26 \nMIG-6-1,MIG-6-2,MIG-7-1 MIG-6-1,MIG-6-2,MIG-7-1"},
		{"AloneWithBasics", []string{"--isolation=devices", "--gres=gpu:a100:1"}, "nvidia0 \n0 GPU-0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := run(append(c.args, "-w", "g1", "sh", "-c", sees+`echo "$CUDA_VISIBLE_DEVICES $NVIDIA_VISIBLE_DEVICES"`)...)
			if strings.TrimSpace(got) != strings.TrimSpace(c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}

	t.Run("TwoJobsOnOneNodeAndOneOnTheOther", func(t *testing.T) {
		var ids []string
		for _, node := range []string{"g1", "g1", "g2"} {
			ids = append(ids, c.must("sbatch", "--parsable", "-w", node, "--gres=gpu:a100:2", "-o", "out.%j", "--wrap", sees+`echo "$CUDA_VISIBLE_DEVICES $SLURM_JOB_GPUS"; until [ -e looked ]; do sleep 0.2; done`))
		}
		c.wait("squeue", "R\nR\nR", "-h", "-o", "%t")
		if n := c.must("scontrol", "show", "node", "-d", "g1"); !strings.Contains(n, "GresUsed=gpu:a100:4(IDX:0-3)") {
			t.Errorf("%s", n)
		}
		if err := os.WriteFile(filepath.Join(c.dir, "looked"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		c.drain(time.Minute)
		for i, want := range []string{"nvidia0 nvidia1 \n0,1 0,1", "nvidia2 nvidia3 \n0,1 2,3", "nvidia0 nvidia1 \n0,1 0,1"} {
			text, err := os.ReadFile(filepath.Join(c.dir, "out."+ids[i]))
			if err != nil || strings.TrimSpace(string(text)) != want {
				t.Errorf("job %s: %q, want %q (%v)", ids[i], text, want, err)
			}
		}
	})

	t.Run("TasksAndSteps", func(t *testing.T) {
		out := run("-w", "g1", "-n", "2", "--gpus-per-task=a100:2", "-l", "sh", "-c", `echo "$CUDA_VISIBLE_DEVICES $NVIDIA_VISIBLE_DEVICES"`)
		if !strings.Contains(out, "0: 0,1 GPU-0,GPU-1") || !strings.Contains(out, "1: 2,3 GPU-2,GPU-3") {
			t.Errorf("two GPUs a task: %q", out)
		}
		quoted := strings.ReplaceAll(sees, "'", `'\''`)
		// Neither ends before the other has begun, whichever is the first.
		const together = "touch here.$SLURM_STEP_ID; until [ -e here.0 ] && [ -e here.1 ]; do sleep 0.1; done"
		id := c.must("sbatch", "--parsable", "-w", "g1", "-n", "2", "--gres=gpu:a100:2", "-o", "steps.%j", "--wrap",
			"srun -n1 --exact --gres=gpu:a100:1 -o steps.%j.%s sh -c '"+quoted+`echo $CUDA_VISIBLE_DEVICES; `+together+`' & `+
				"srun -n1 --exact --gres=gpu:a100:1 -o steps.%j.%s sh -c '"+quoted+`echo $CUDA_VISIBLE_DEVICES; `+together+`'; wait`)
		c.drain(time.Minute)
		one, _ := os.ReadFile(filepath.Join(c.dir, "steps."+id+".0"))
		two, _ := os.ReadFile(filepath.Join(c.dir, "steps."+id+".1"))
		text := string(one) + string(two)
		for _, want := range []string{"nvidia0 \n0", "nvidia1 \n0"} {
			if !strings.Contains(text, want) {
				t.Errorf("steps with one of two GPUs each: %q", text)
			}
		}
	})

	t.Run("Parts", func(t *testing.T) {
		var ids []string
		for i := range 2 {
			ids = append(ids, c.must("sbatch", "--parsable", "-w", "g1", "--gres=shard:2", "-o", "parts.%j", "--wrap", sees+fmt.Sprintf(`echo "$CUDA_VISIBLE_DEVICES"; exec sleep 4242.%d`, i)))
		}
		c.wait("squeue", "R\nR", "-h", "-o", "%t")
		if n := c.must("scontrol", "show", "node", "-d", "g1"); !strings.Contains(n, "shard:4") {
			t.Errorf("%s", n)
		}
		if got := run("-w", "g1", "--gres=gpu:a100:5", "sh", "-c", sees); strings.TrimSpace(got) != "nvidia1 nvidia2 nvidia3 nvidia4 nvidia5" {
			t.Errorf("five whole ones beside two in parts of one: %q", got)
		}
		for _, id := range ids {
			if text, _ := os.ReadFile(filepath.Join(c.dir, "parts."+id)); string(text) != "nvidia0 \n0\n" {
				t.Errorf("a job with parts of a GPU: %q", text)
			}
		}
		// The first holds a quarter of the memory, which is its part; the second more.
		var held string
		for i, mib := range []int{20480, 20481} {
			held += fmt.Sprintf("process 0 %d %d\n", pidOf(t, fmt.Sprintf("sleep\x004242.%d\x00", i)), mib)
		}
		probetest.Describe(t, c.desc[0], gpuDescription()+held)
		metrics := c.must("rink-metrics", "--name", "g1")
		for _, want := range []string{
			`rink_gpu_busy_ratio{gpu="0",name="NVIDIA A100-SXM4-80GB",node="g1",uuid="GPU-0"} 0.5`,
			`rink_gpu_healthy{gpu="7",name="NVIDIA A100-SXM4-80GB",node="g1",uuid="GPU-7",why=""} 1`,
			`job="` + ids[0] + `",node="g1",partition="debug",user="root"} ` + "2.147483648e+10",
		} {
			if !strings.Contains(metrics, want) {
				t.Errorf("no %s in\n%s", want, metrics)
			}
		}
		c.wait("sacct", "OUT_OF_MEMORY", "-n", "-X", "-j", ids[1], "-o", "State%20")
		text, _ := os.ReadFile(filepath.Join(c.dir, "parts."+ids[1]))
		for _, want := range []string{"HOLDS 20481 MiB OF THE MEMORY OF GPU 0, AND MAY HOLD 20480 MiB", "DUE TO GPU MEMORY LIMIT"} {
			if !strings.Contains(string(text), want) {
				t.Errorf("the job was not told %q: %s", want, text)
			}
		}
		if got := c.must("squeue", "-h", "-o", "%i"); got != ids[0] {
			t.Errorf("left in the queue: %q", got)
		}
		c.must("scancel", ids[0])
		c.drain(time.Minute)
	})

	t.Run("OneFails", func(t *testing.T) {
		probetest.Describe(t, c.desc[0], strings.Replace(gpuDescription(), "gpu 4 ", "gpu 4 lost=1 ", 1)+"xid 4 79\n")
		c.wait("scontrol", "GresDrain=gpu:a100:1(IDX:4)", "show", "node", "-d", "g1")
		if got := run("-w", "g1", "--gres=gpu:a100:5", "sh", "-c", sees); strings.TrimSpace(got) != "nvidia0 nvidia1 nvidia2 nvidia3 nvidia5" {
			t.Errorf("five of six with one out of service: %q", got)
		}
		id := c.must("sbatch", "--parsable", "-w", "g1", "--gres=gpu:a100:6", "--wrap", "true")
		time.Sleep(time.Second)
		if got := c.must("squeue", "-h", "-j", id, "-o", "%t %r"); got != "PD Resources" {
			t.Errorf("a job for six: %q", got)
		}
		c.must("scancel", id)
		text := gpuDescription()
		for i := range 4 {
			text = strings.Replace(text, fmt.Sprintf("gpu %d ", i), fmt.Sprintf("gpu %d remapfailed=1 ", i), 1)
		}
		probetest.Describe(t, c.desc[0], text+"xid 4 79\nxid 5 48\n")
		c.wait("scontrol", "Reason=gres/gpu: 4 of 10 in service, 50% wanted", "show", "node", "g1")
		if got := c.must("sinfo", "-h", "-n", "g1", "-o", "%t %E"); got != "drain gres/gpu: 4 of 10 in service, 50% wanted" {
			t.Errorf("the node: %q", got)
		}
		// All are well again, and nothing is heard of them for a while.
		probetest.Describe(t, c.desc[0], gpuDescription())
		c.wait("scontrol", "GresDrain=N/A", "show", "node", "-d", "g1")
		c.wait("sinfo", "idle none", "-h", "-n", "g1", "-o", "%t %E")
		if got := run("-w", "g1", "--gres=gpu:a100:6", "sh", "-c", sees); strings.TrimSpace(got) != "nvidia0 nvidia1 nvidia2 nvidia3 nvidia4 nvidia5" {
			t.Errorf("all six again: %q", got)
		}
		// A node that a person drained stays drained.
		c.must("scontrol", "update", "nodename=g1", "state=drain", "reason=mine")
		probetest.Describe(t, c.desc[0], text)
		c.wait("scontrol", "GresDrain=gpu:a100:4(IDX:0-3)", "show", "node", "-d", "g1")
		probetest.Describe(t, c.desc[0], gpuDescription())
		c.wait("scontrol", "GresDrain=N/A", "show", "node", "-d", "g1")
		if got := c.must("sinfo", "-h", "-n", "g1", "-o", "%t %E"); got != "drain mine" {
			t.Errorf("the node that a person drained: %q", got)
		}
	})
}

// pidOf finds a process by its command line.
func pidOf(t *testing.T, line string) int {
	t.Helper()
	pid := findPid(line)
	if pid == 0 {
		t.Fatalf("no process %q", line)
	}
	return pid
}

// findPid is a process with that command line; 0 when there is none.
func findPid(line string) int {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, d := range dirs {
		if text, err := os.ReadFile(filepath.Join(d, "cmdline")); err == nil && string(text) == line {
			pid, _ := strconv.Atoi(filepath.Base(d))
			return pid
		}
	}
	return 0
}
