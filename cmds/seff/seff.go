// Package seff is the command that says how much of what it held a job used.
package seff

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/efficiency"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/slurm"
)

//go:embed help.txt
var helpText string

// Run is the command; it returns the exit status.
func Run(env *cli.Env) int {
	table := []slurm.OptionSpec{{Names: []string{"help"}, Short: 'h', Arg: slurm.NoArg}, {Names: []string{"version"}, Short: 'v', Arg: slurm.NoArg},
		{Names: []string{"debug"}, Short: 'd', Arg: slurm.NoArg}, {Names: []string{"Version"}, Short: 'V', Arg: slurm.NoArg}}
	given, words, err := slurm.Getopt(env.Name, table, env.Args, slurm.PermuteWords)
	if err != nil {
		fmt.Fprintln(env.Stderr, err)
		return 1
	}
	debug := false
	for _, g := range given {
		switch g.Name() {
		case "help":
			fmt.Fprint(env.Stdout, helpText)
			return 0
		case "version", "Version":
			fmt.Fprintln(env.Stdout, cli.VersionLine())
			return 0
		case "debug":
			debug = true
		}
	}
	if len(words) == 0 {
		fmt.Fprint(env.Stdout, helpText)
		return 0
	}
	client, err := cli.Connect(env)
	if err != nil {
		env.Errorf("%s", cli.Reason(err))
		return 1
	}
	defer client.Close()
	code := 0
	for i, word := range words {
		if i > 0 {
			fmt.Fprintln(env.Stdout)
		}
		code = max(code, one(env, client.Controller, client.Cluster, word, debug))
	}
	return code
}

// one reports on one job, which is the latest record of that id.
func one(env *cli.Env, client rinkpb.Controller, cluster, word string, debug bool) int {
	ref, err := slurm.ParseJobRef(word)
	if err != nil {
		fmt.Fprintln(env.Stderr, "Job not found.")
		return 2
	}
	ctx, cancel := env.Call(show.CallLimit())
	defer cancel()
	stream, err := client.History(ctx, &rinkpb.HistoryRequest{Refs: show.Refs([]slurm.JobRef{ref}), AllUsers: true, Steps: true})
	var found *rinkpb.Record
	for err == nil {
		var page *rinkpb.HistoryPage
		if page, err = stream.Recv(); err == nil {
			for _, r := range page.Records {
				// Of an array or a het job asked for as a whole, the one with that id.
				if found == nil || r.Job.Id == uint32(ref.Job) {
					found = r
				}
			}
			err = cli.StatusErr(page.Status)
		}
	}
	if !errors.Is(err, io.EOF) {
		env.Errorf("%s", cli.Reason(cli.CallErr(err)))
		return 1
	}
	if found == nil {
		fmt.Fprintln(env.Stderr, "Job not found.")
		return 2
	}
	j, err := api.JobFromProto(found.Job)
	if err != nil {
		env.Errorf("%v", err)
		return 1
	}
	if debug {
		fmt.Fprintf(env.Stdout, "Debug: %v\n", found)
	}
	job := show.NewJob(j)
	sums := efficiency.OfRecord(found, env.Now())
	w := env.Stdout
	fmt.Fprintf(w, "Job ID: %d\n", j.ID)
	if j.ArrayID != 0 && job.IsTask() {
		fmt.Fprintf(w, "Array Job ID: %d_%d\n", j.ArrayID, j.TaskID)
	}
	fmt.Fprintf(w, "Cluster: %s\nUser/Group: %s/%s\n", show.Or(found.Cluster, cluster), j.User, j.Group)
	state := j.State.Base().String()
	if found.Requeued {
		state = "REQUEUED"
	}
	if j.HasEnded() {
		fmt.Fprintf(w, "State: %s (exit code %d)\n", state, j.ExitCode.Code)
	} else {
		fmt.Fprintf(w, "State: %s\n", state)
	}
	if nodes := max(1, len(j.Alloc)); sums.CPUs <= 1 {
		fmt.Fprintf(w, "Cores: %d\n", max(1, sums.CPUs, int64(j.Need.CPUs)))
	} else {
		fmt.Fprintf(w, "Nodes: %d\nCores per node: %d\n", nodes, sums.CPUs/int64(nodes))
	}
	if j.Start.IsZero() {
		fmt.Fprintf(w, "Efficiency not available for jobs in the %s state.\n", state)
		return 0
	}
	cpu, _ := sums.CPU()
	fmt.Fprintf(w, "CPU Utilized: %s\nCPU Efficiency: %.2f%% of %s core-walltime\nJob Wall-clock time: %s\n",
		efficiency.Clock(sums.CPUUsed), 100*cpu, efficiency.Clock(sums.CPUHeld), efficiency.Clock(sums.Wall))
	mem, _ := sums.Mem()
	share, per := sums.MemHeld/int64(max(1, len(j.Alloc))), "node"
	if j.Need.MemPerCPU > 0 {
		share, per = int64(j.Need.MemPerCPU)<<20, "core"
	}
	fmt.Fprintf(w, "Memory Utilized: %s\nMemory Efficiency: %.2f%% of %s (%s/%s)\n", size(sums.MemUsed), 100*mem, size(sums.MemHeld), size(share), per)
	if sums.GPUs > 0 {
		if gpu, ok := sums.GPU(); ok {
			fmt.Fprintf(w, "GPU Utilized: %s\nGPU Efficiency: %.2f%% of %s gpu-walltime\n", efficiency.Clock(sums.GPUUsed), 100*gpu, efficiency.Clock(sums.GPUHeld))
			fmt.Fprintf(w, "GPU Memory Utilized: %s\n", size(sums.GPUMem))
		}
	}
	if !j.HasEnded() {
		fmt.Fprintf(w, "WARNING: Efficiency statistics can only be obtained after the job has ended as seff tool is based on the accounting database data.\n")
		return 0
	}
	if advice := sums.Advice(); advice != "" && sums.Wall >= time.Second {
		fmt.Fprintf(w, "Advice: %s\n", advice)
	}
	return 0
}

// size prints an amount in the unit that fits, as seff does: 0 is in MB.
func size(n int64) string {
	names := []string{"KB", "MB", "GB", "TB", "PB", "EB"}
	v, i := float64(n)/1024, 0
	if n == 0 {
		i = 1
	}
	for v >= 1024 && i < len(names)-1 {
		v /= 1024
		i++
	}
	return strings.TrimSpace(fmt.Sprintf("%.2f %s", v, names[i]))
}
