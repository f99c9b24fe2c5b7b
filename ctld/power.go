package ctld

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"

	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// power looks after the nodes that go off and come up. What is to be done is
// decided by sched and committed; the programs are run after that, by the leader.
type power struct {
	running sync.WaitGroup // programs that have not ended
}

// powerCommands are the changes of power that are due, with what follows for the
// jobs of nodes that did not come up.
func (s *Server) powerCommands(st *state.State, now time.Time) (cmds []state.Command, do sched.Power) {
	conf := st.Config()
	if !sched.PowerSaves(conf) {
		return nil, do
	}
	do = sched.PlanPower(conf, st.Nodes(), now)
	add := func(names []sched.NodeName, step state.PowerStep, reason string) {
		if len(names) > 0 {
			cmds = append(cmds, state.PowerNodes{Nodes: names, Step: step, Reason: reason})
		}
	}
	add(do.Off, state.PowerGoOff, "")
	add(do.Gone, state.PowerIsOff, "")
	add(do.Up, state.PowerComeUp, "")
	add(do.Lost, state.PowerLost, "ResumeTimeout reached")
	for _, name := range do.Lost {
		cmds = append(cmds, nodeLost(st, name, now)...)
	}
	// An agent that was never gone does not register anew.
	var there []sched.NodeName
	for _, n := range st.Nodes() {
		if n.State.Has(slurm.NodePoweringUp) && s.sessions.connected(n.Name) && !slices.Contains(do.Lost, n.Name) {
			there = append(there, n.Name)
		}
	}
	add(there, state.PowerIsUp, "")
	return cmds, do
}

// runPower runs the programs for what has been committed.
func (s *Server) runPower(do sched.Power) {
	if len(do.Off)+len(do.Up)+len(do.Lost) == 0 {
		return
	}
	var conf *slurm.Conf
	var jobs []*sched.Job
	s.barn.Read(func(t *state.State) {
		conf = t.Config().Conf
		if len(do.Up) == 0 {
			return
		}
		for j := range t.Holding() {
			if j.State.Has(slurm.JobConfiguring) && slices.ContainsFunc(j.Alloc, func(a sched.NodeAlloc) bool { return slices.Contains(do.Up, a.Node) }) {
				jobs = append(jobs, j)
			}
		}
	})
	s.powerProgram(conf.SuspendProgram, do.Off, nil)
	s.powerProgram(conf.ResumeFailProgram, do.Lost, nil)
	if len(do.Up) > 0 {
		text, err := resumeFile(do.Up, jobs)
		if err != nil {
			s.log.Error("cannot say for which jobs nodes are to come up", "error", err)
		}
		s.powerProgram(conf.ResumeProgram, do.Up, text)
	}
}

// powerProgram runs a program with a list of nodes and, if there is any, a file it
// finds by SLURM_RESUME_FILE. It goes on by itself.
func (s *Server) powerProgram(program string, nodes []sched.NodeName, file []byte) {
	if program == "" || len(nodes) == 0 {
		return
	}
	list := nodeList(nodes)
	s.log.Info("runs a program of power saving", "program", program, "nodes", list)
	cmd := exec.Command(program, list)
	cmd.Env = append(os.Environ(), "SLURM_CONF="+s.opt.Config.Path)
	var temp string
	if file != nil {
		f, err := os.CreateTemp("", "rink-resume-*.json")
		if err == nil {
			temp = f.Name()
			_, err = f.Write(file)
			if e := f.Close(); err == nil {
				err = e
			}
		}
		if err != nil {
			s.log.Error("cannot write the file of nodes to come up", "error", err)
		}
		cmd.Env = append(cmd.Env, "SLURM_RESUME_FILE="+temp)
	}
	if err := cmd.Start(); err != nil {
		s.log.Error("cannot run a program of power saving", "program", program, "nodes", list, "error", err)
		if temp != "" {
			os.Remove(temp)
		}
		return
	}
	s.power.running.Go(func() { // ends with the program
		if err := cmd.Wait(); err != nil {
			s.log.Warn("a program of power saving failed", "program", program, "nodes", list, "error", err)
		}
		if temp != "" {
			os.Remove(temp)
		}
	})
}

func nodeList(nodes []sched.NodeName) string {
	list := make([]string, len(nodes))
	for i, n := range nodes {
		list[i] = string(n)
	}
	return slurm.HostListOf(list...).Sorted().String()
}

// resumedJob is a job as a ResumeProgram reads of it. Both the older names of the
// fields and the newer ones are there.
type resumedJob struct {
	Job         slurm.JobID `json:"job_id"`
	Nodes       string      `json:"nodes"`
	Alloc       string      `json:"nodes_alloc"`
	Resume      string      `json:"nodes_resume"`
	Extra       *string     `json:"extra"`
	Features    *string     `json:"features"`
	Share       string      `json:"oversubscribe"`
	Partition   string      `json:"partition"`
	Reservation *string     `json:"reservation"`
}

// resumeFile says which nodes are to come up, and for which jobs.
func resumeFile(nodes []sched.NodeName, jobs []*sched.Job) ([]byte, error) {
	text := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	out := struct {
		Jobs []resumedJob `json:"jobs"`
		All  string       `json:"all_nodes"`
		Up   string       `json:"all_nodes_resume"`
	}{Jobs: []resumedJob{}, All: nodeList(nodes), Up: nodeList(nodes)}
	for _, j := range jobs {
		var up []sched.NodeName
		for _, name := range j.Nodes() {
			if slices.Contains(nodes, name) {
				up = append(up, name)
			}
		}
		share := "OK"
		switch {
		case j.Need.Exclusive:
			share = "NO"
		case j.Need.Share:
			share = "YES"
		}
		one := resumedJob{Job: j.ID, Nodes: nodeList(j.Nodes()), Alloc: nodeList(j.Nodes()), Resume: nodeList(up), Share: share, Partition: string(j.Partition)}
		if j.Spec != nil {
			one.Extra, one.Features, one.Reservation = text(j.Spec.Extra), text(j.Spec.Constraint), text(j.Spec.Reservation)
		}
		out.Jobs = append(out.Jobs, one)
	}
	text2, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("cannot encode: %w", err)
	}
	return append(text2, '\n'), nil
}

// powerWork is the leader's look at power: at each tick, and at once when a job
// was given a node that is off.
func (s *Server) powerWork(ctx context.Context, now time.Time) {
	var cmds []state.Command
	var do sched.Power
	s.barn.Read(func(st *state.State) {
		if st.Config() != nil {
			cmds, do = s.powerCommands(st, now)
		}
	})
	if len(cmds) == 0 {
		return
	}
	if _, err := s.propose(ctx, cmds...); err != nil {
		if ctx.Err() == nil {
			s.log.Warn("cannot commit a change of power", "error", err)
		}
		return
	}
	s.runPower(do)
}
