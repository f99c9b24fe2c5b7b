package ctld

import (
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/accounting"
	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/barn"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// historySink keeps in accounting what the log says of ended jobs and steps.
// The barn feeds it in log order; the store remembers how far it came, so that
// entries which come again after a restart are kept once.
type historySink struct {
	store *accounting.Store
	log   *slog.Logger
	// config is what jobs are charged by: what the log said last, and before that
	// what barn has once it is open.
	config *sched.Config
	barn   atomic.Pointer[barn.Barn]
	last   uint64 // entry taken in last
	marks  *frozenMarks
	// enforce says what is kept (nojobs, nosteps): what the log said last, and
	// before that what the controller was started with.
	enforce slurm.AccountingEnforce
}

func (h *historySink) charges() *sched.Config {
	if b := h.barn.Load(); h.config == nil && b != nil {
		b.Read(func(t *state.State) { h.config = t.Config() })
	}
	return h.config
}

// Consume implements barn.Sink.
func (h *historySink) Consume(index uint64, _ time.Time, events []state.Event) {
	h.last = index
	var records []*rinkpb.Record
	mark := ""
	for _, ev := range events {
		switch ev := ev.(type) {
		case state.ConfigChanged:
			h.config = ev.Config
			if ev.Config.Conf != nil {
				h.enforce = ev.Config.Conf.AccountingStorageEnforce
			}
		case state.JobEnded:
			records = append(records, &rinkpb.Record{
				Job: api.JobToProto(ev.Job), Index: index, Requeued: ev.Requeued, Billing: billing(ev.Job, h.charges()),
			})
		case state.JobTakenBack:
			records = append(records, &rinkpb.Record{
				Job: api.JobToProto(ev.Job), Index: index, Requeued: true, Billing: billing(ev.Job, h.charges()),
			})
		case state.JobResized:
			records = append(records, &rinkpb.Record{Job: api.JobToProto(ev.Job), Index: index, Billing: billing(ev.Job, h.charges())})
		case state.LicensesChanged:
			h.config = ev.Config
		case state.StepEnded:
			records = append(records, &rinkpb.Record{
				Job: api.JobToProto(ev.Job), Live: true, Steps: []*rinkpb.Step{api.StepToProto(ev.Step)}, Index: index,
			})
		case state.JobReleased:
			// Now it is known how the batch script itself ended and what it used.
			records = append(records, &rinkpb.Record{Job: api.JobToProto(ev.Job), Index: index, Billing: billing(ev.Job, h.charges())})
		case state.NodeChanged:
			if r := nodeRecord(ev); r != nil {
				records = append(records, r)
			}
		case state.ReservationChanged:
			if !sameSpan(ev.Old, ev.New) {
				records = append(records, reservationRecords(ev.Old, ev.New, ev.At)...)
			}
		case state.Marked:
			mark = ev.Name
		case state.HistoryImported:
			for _, data := range ev.Records {
				r := &rinkpb.Record{}
				if err := proto.Unmarshal(data, r); err != nil {
					h.log.Error("imported record not kept", "index", index, "error", err)
					continue
				}
				records = append(records, r)
			}
		}
	}
	if records = kept(records, h.enforce); len(records) > 0 {
		h.store.Put(index, records)
	}
	if mark != "" {
		h.freeze(mark, index)
	}
}

// freeze keeps the history as it is at a mark, for those who compare.
func (h *historySink) freeze(mark string, index uint64) {
	h.store.Mark(index)
	f, err := h.store.Freeze()
	if err != nil {
		h.log.Warn("history: it cannot be compared", "error", err)
	}
	h.marks.put(mark, f, err)
}

// kept leaves out the records that AccountingStorageEnforce wants not to be kept:
// with nojobs all of jobs and steps, with nosteps those of steps.
func kept(records []*rinkpb.Record, enforce slurm.AccountingEnforce) []*rinkpb.Record {
	if !enforce.NoJobs && !enforce.NoSteps {
		return records
	}
	return slices.DeleteFunc(records, func(r *rinkpb.Record) bool {
		return r.Job != nil && (enforce.NoJobs || len(r.Steps) > 0)
	})
}

// Missed implements barn.GapSink: what was in these entries is fetched from another
// controller (keep.go), if there is one.
func (h *historySink) Missed(from, to uint64, alone bool) {
	h.last = max(h.last, to)
	h.store.Missed(from, to, alone)
}

// Flush implements barn.Sink. That entries without records were taken in is noted
// too: the log up to here may be let go of.
func (h *historySink) Flush() error {
	h.store.Mark(h.last)
	return h.store.Flush()
}

// Applied implements barn.Sink.
func (h *historySink) Applied() uint64 { return h.store.Applied() }

// History streams records of jobs that ended and of those that have not, as
// sacct asks. A user sees only their own unless an operator.
func (c *controller) History(req *rinkpb.HistoryRequest, stream rinkpb.Controller_HistoryServer) error {
	_, u, err := c.caller(stream.Context())
	if err != nil {
		return err
	}
	f, err := accounting.FilterOf(req)
	if err != nil {
		return invalid(err)
	}
	if req.AllUsers {
		f.UIDs = nil
	}
	if now := time.Now(); !f.End.IsZero() && f.End.Unix() == now.Unix() {
		// Up to now means this second too: a job shows as soon as it is submitted.
		f.End = now.Add(time.Second)
	}
	if !c.s.operator(u.UID) && c.s.private("jobs") {
		f.UIDs = []uint32{u.UID}
	}
	// What is in memory is read before the file: a job that ends in between is
	// then in both, and never in neither.
	records, err := c.s.unfinishedRecords()
	if err != nil {
		return err
	}
	now := time.Now()
	page := &rinkpb.HistoryPage{Now: now.UnixNano(), Status: &rinkpb.Status{}}
	for _, q := range c.s.accounts.Load().Tables().QOS {
		page.Qos = append(page.Qos, &rinkpb.QOSNumber{Name: q.Name, Id: q.ID})
	}
	comments := slices.Contains(c.s.liveConf().AccountingStoreFlags, "job_comment")
	for rec, err := range c.s.store.Query(f, slices.Values(records)) {
		if err != nil {
			return err
		}
		rec.Cluster = c.s.conf.ClusterName
		rec.Job.Rlimits = nil // which nobody asks for, and would be half of what is sent
		if spec := rec.Job.GetSpec(); !comments && spec.GetComment() != "" && rec.Job.GetAmend().GetComment() == "" {
			rec.Job.Spec = proto.Clone(spec).(*rinkpb.JobOptions) // it may be others' too
			rec.Job.Spec.Comment = ""
		}
		page.Records = append(page.Records, rec)
		if len(page.Records) == pageSize {
			if err := stream.Send(page); err != nil {
				return err
			}
			page = &rinkpb.HistoryPage{Now: now.UnixNano(), Status: &rinkpb.Status{}}
		}
	}
	return stream.Send(page)
}

// private reports whether PrivateData names the thing.
func (s *Server) private(what string) bool { return slices.Contains(s.liveConf().PrivateData, what) }
