package noded

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/noded/pmi"
	"github.com/runink/rink/noded/taskenv"
	"github.com/runink/rink/slice"
)

// speaksPMI reports whether a step's tasks get a socket to the agent on which
// PMI-1 and PMI-2 are spoken.
func speaksPMI(order *rinkpb.LaunchStep) bool { return order.Mpi == "pmi2" }

// pmiTask gives a task what it needs to speak PMI.
func pmiTask(order *rinkpb.LaunchStep, task *slice.Task, env *taskenv.Env, rank int32) {
	task.SocketEnv = "PMI_FD"
	env.Set("PMI_JOBID", pmiName(order))
	env.Set("PMI_RANK", strconv.Itoa(int(rank)))
	env.Set("PMI_SIZE", strconv.Itoa(int(order.TotalTasks)))
}

func pmiName(order *rinkpb.LaunchStep) string {
	return fmt.Sprintf("%d.%d", order.Here.Job, order.Step)
}

// mpiEnd is what the streams of a step have for its MPI: the key space of PMI.
type mpiEnd struct {
	server  *pmi.Server
	journal *os.File
	sharing sync.Mutex // held while srun tells what all nodes have put
}

// keyCost is what a key takes beside its bytes.
const keyCost = 32

// newMPI makes a step's part of PMI, with all that a former agent knew of it;
// nil when its tasks do not speak it.
func (t *taskIO) newMPI() *mpiEnd {
	order := t.order
	if !speaksPMI(order) {
		return nil
	}
	path, err := t.a.spool.file(t.job.key, fmt.Sprintf("pmi.%d", order.Step))
	var journal *os.File
	if err == nil {
		journal, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	}
	if err != nil {
		t.a.log.Warn("what MPI tasks say is not kept for a restart of the agent", "slice", t.id, "error", err)
	}
	if journal != nil {
		if err := cutTorn(path); err != nil {
			t.a.log.Warn("what MPI tasks say may not be read by a restarted agent", "slice", t.id, "error", err)
		}
	}
	m := &mpiEnd{journal: journal}
	conf := pmi.Config{
		Name: pmiName(order), NodeOf: order.RankNodes, Node: order.StepNodeIndex, Nodes: len(order.StepNodes),
		Share: t.sharePMI,
		Abort: func(rank int, words string) {
			t.a.log.Info("an MPI task wants its step ended", "slice", t.id, "rank", rank, "words", words)
			t.queue(&rinkpb.StepDown{Abort: true})
		},
	}
	if journal != nil {
		conf.Journal = journal
	}
	m.server = pmi.NewServer(conf)
	old, err := os.Open(path)
	if err == nil {
		err = m.server.Replay(old)
		old.Close()
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.a.log.Warn("what MPI tasks said before the agent was restarted is lost", "slice", t.id, "error", err)
	}
	return m
}

// cutTorn cuts a last line off that is not whole, which another agent died over: what
// is appended would be read as its end.
func cutTorn(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	whole := bytes.LastIndexByte(text, '\n') + 1
	if whole == len(text) {
		return nil
	}
	return os.Truncate(path, int64(whole))
}

// maxShare is how many bytes of keys go in one message between nodes.
const maxShare = 512 << 10

// sharePMI tells srun what the tasks here have put before a fence.
func (t *taskIO) sharePMI(fence uint32, keys []pmi.Key) {
	for _, part := range pmiParts(fence, keys) {
		t.queue(&rinkpb.StepDown{Pmi: part})
	}
}

func pmiParts(fence uint32, keys []pmi.Key) []*rinkpb.PmiShare {
	part := &rinkpb.PmiShare{Fence: fence, First: true}
	parts := []*rinkpb.PmiShare{part}
	size := 0
	for _, k := range keys {
		if size += len(k.Name) + len(k.Value); size > maxShare && len(part.Keys) > 0 {
			part = &rinkpb.PmiShare{Fence: fence}
			parts = append(parts, part)
			size = len(k.Name) + len(k.Value)
		}
		part.Keys = append(part.Keys, &rinkpb.PmiKey{Name: []byte(k.Name), Value: []byte(k.Value)})
	}
	part.Last = true
	return parts
}

// servePMI has the tasks' sockets listened to until they or the agent close
// them.
func (t *taskIO) servePMI(files []slice.Files) {
	if t.mpi == nil {
		return
	}
	for i, f := range files {
		if f.Socket == nil || i >= len(t.order.Tasks) {
			continue
		}
		rank := int(t.order.Tasks[i].Rank)
		t.a.wg.Go(func() { // ends with the socket, which closeFiles closes at the latest
			if err := t.mpi.server.Serve(rank, f.Socket); err != nil {
				t.queue(&rinkpb.StepDown{Messages: []string{"slurmstepd: error: mpi/pmi2: " + err.Error()}})
			}
		})
	}
}

// sharedPMI takes what all nodes have put, which comes in parts.
func (t *taskIO) sharedPMI(next func() (*rinkpb.StepUp, error)) error {
	if t.mpi == nil {
		return status.Error(codes.FailedPrecondition, "the step's tasks do not speak PMI")
	}
	if !t.mpi.sharing.TryLock() { // srun says it again
		return status.Error(codes.Unavailable, "what all nodes have put is being told already")
	}
	defer t.mpi.sharing.Unlock()
	var keys []pmi.Key
	size := 0
	for {
		m, err := next()
		if err != nil {
			return err
		}
		for _, k := range m.GetPmi().GetKeys() {
			if size += len(k.Name) + len(k.Value) + keyCost; size > pmi.MaxShared {
				return status.Errorf(codes.ResourceExhausted, "the nodes have put more than %d bytes", pmi.MaxShared)
			}
			keys = append(keys, pmi.Key{Name: string(k.Name), Value: string(k.Value)})
		}
		if m.GetPmi().GetLast() {
			t.mpi.server.Shared(m.Pmi.Fence, keys)
			return nil
		}
	}
}

func (m *mpiEnd) close() {
	if m != nil && m.journal != nil {
		m.journal.Close()
	}
}
