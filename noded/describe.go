package noded

import (
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/runink/rink/gpu/probe"
)

// Describe returns this machine as a NodeName line of slurm.conf describes it, and
// how long it has been up, as slurmd -C prints them.
func Describe(host string) (string, error) {
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err != nil {
		return "", fmt.Errorf("cannot ask the kernel about this machine: %w", err)
	}
	cpus, sockets, cores, threads := cpuTopology()
	short, _, _ := strings.Cut(host, ".")
	var b strings.Builder
	fmt.Fprintf(&b, "NodeName=%s CPUs=%d Boards=1 SocketsPerBoard=%d CoresPerSocket=%d ThreadsPerCore=%d RealMemory=%d",
		short, cpus, sockets, cores, threads, int64(info.Totalram)*int64(info.Unit)>>20)
	counts, order := map[string]int{}, []string{}
	if lib, err := probe.Open(); err == nil {
		defer lib.Close()
		list, err := lib.GPUs()
		if err != nil {
			return "", fmt.Errorf("cannot look for GPUs: %w", err)
		}
		for _, g := range list {
			if counts[g.Type()] == 0 {
				order = append(order, g.Type())
			}
			counts[g.Type()]++
		}
	}
	for i, kind := range order {
		sep := " Gres="
		if i > 0 {
			sep = ","
		}
		fmt.Fprintf(&b, "%sgpu:%s:%d", sep, kind, counts[kind])
	}
	up := time.Duration(info.Uptime) * time.Second
	fmt.Fprintf(&b, "\nUpTime=%d-%02d:%02d:%02d\n", int(up.Hours())/24, int(up.Hours())%24, int(up.Minutes())%60, int(up.Seconds())%60)
	return b.String(), nil
}
