package accounting

import (
	"bytes"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/api/rinkpb"
)

// writer puts records into the buckets within one transaction.
type writer struct {
	jobs, steps, ends, users, groups *bucket
	nodes, downs, capacities, spans  *bucket
	words                            *wordWriter
	reader                           wordReader
	rolls                            *roller
	gap                              bool // facts are left out: they are to be fetched whole
}

func newWriter(tx *txn, s *Store) *writer {
	bucket := func(name []byte, fill float64) *bucket {
		b := tx.Bucket(name)
		// History grows at its end: pages that are left behind may be full.
		b.FillPercent = fill
		return b
	}
	w := &writer{
		jobs: bucket(bucketJobs, 0.95), steps: bucket(bucketSteps, 0.95), ends: bucket(bucketEnds, 0.95),
		users: bucket(bucketUsers, 0.9), groups: bucket(bucketGroups, 0.95), words: newWordWriter(tx, &s.recent),
		nodes: tx.Bucket(bucketNodes), downs: tx.Bucket(bucketDowns), capacities: tx.Bucket(bucketCapacity), spans: tx.Bucket(bucketSpans),
	}
	w.words.words.FillPercent = 0.95
	w.reader = wordReader{words: w.words.words}
	w.rolls = &roller{rolls: bucket(bucketRolls, 0.9), words: w.words, known: s.known, cal: s.cal, sums: map[rollKey]*rinkpb.KeptRoll{}}
	return w
}

func (w *writer) record(b batch, r *rinkpb.Record) error {
	if w.gap && r.GetJob() == nil {
		return nil
	}
	switch {
	case r.GetNode() != nil:
		return w.nodeFact(b, r.Node)
	case r.GetReservation() != nil:
		return w.reservation(b, r.Reservation)
	}
	if r.GetJob() == nil {
		return &recordError{what: "a record", err: errors.New("it has no job")}
	}
	k := keyOf(r.Job)
	index := b.index
	if b.imported {
		index = r.Index
	}
	if r.Amend != nil {
		return w.amend(k, index, r.Amend)
	}
	usage := r.Batch
	if usage == nil {
		usage = r.Job.BatchUsage
	}
	if usage != nil && proto.Size(usage) == 0 {
		usage = nil
	}
	if r.Live {
		for _, step := range r.Steps {
			if step.End == 0 && !b.imported {
				continue
			}
			if err := w.step(b, k, index, step); err != nil {
				return err
			}
		}
		if r.Batch == nil || usage == nil {
			return nil
		}
		return w.earlyBatch(b, k, index, usage)
	}
	if err := w.job(b, k, index, r, usage); err != nil {
		return err
	}
	for _, steps := range [][]*rinkpb.Step{r.Job.Steps, r.Steps} {
		for _, step := range steps {
			if err := w.step(b, k, index, step); err != nil {
				return err
			}
		}
	}
	return nil
}

// job puts the final record of an incarnation and its index entries.
func (w *writer) job(b batch, k jobKey, index uint64, r *rinkpb.Record, usage *rinkpb.Usage) error {
	key := k.bytes()
	place := placeOf(r.Job)
	var used *rinkpb.StepsUsed
	var had *rinkpb.Record
	if old := w.jobs.Get(key); old != nil {
		if r.Imported {
			return nil
		}
		// One that cannot be read is replaced; whatever index entries it leaves
		// behind lead to the new one.
		if was, steps, err := decodeJob(w.reader, k, old); err == nil {
			// One that was fetched may be later than what the log brings. Of the
			// same entry the other controller's holds: it has what is missing here.
			if was.Index > index {
				return nil
			}
			had, used = was, steps
			r = &rinkpb.Record{Job: r.Job, Requeued: r.Requeued || was.Requeued, Billing: r.Billing, Imported: r.Imported}
			if r.Billing == 0 {
				r.Billing = was.Billing
			}
			if usage == nil {
				usage = was.Batch
			}
			if a := was.Job.GetAmend(); a != nil && r.Job.Amend == nil {
				r.Job = proto.Clone(r.Job).(*rinkpb.Job)
				amendJob(r.Job, a)
			}
			if gone := placeOf(was.Job); gone != place {
				if err := w.unplace(k, gone); err != nil {
					return err
				}
			}
		}
	}
	if early, err := w.takeEarlyBatch(k); err != nil {
		return err
	} else if usage == nil {
		usage = early
	}
	if had == nil {
		var err error
		if used, err = w.stepsUsed(k); err != nil {
			return err
		}
	}
	final := &rinkpb.Record{Job: r.Job, Index: index, Requeued: r.Requeued, Batch: usage, Billing: r.Billing, Imported: r.Imported}
	data, err := encodeJob(w.words, k, final, used)
	if err != nil {
		return badJob(k, "cannot lay out its record", err)
	}
	if had != nil {
		if err := w.rolls.job(had, used, -1); err != nil {
			return badJob(k, "cannot count", err)
		}
	}
	if err := w.rolls.job(final, used, 1); err != nil {
		return badJob(k, "cannot count", err)
	}
	if err := w.jobs.Put(key, data); err != nil {
		return err
	}
	span := place.span()
	if err := w.ends.Put(place.endKey(k), span); err != nil {
		return err
	}
	if err := w.users.Put(place.userKey(k), span); err != nil {
		return err
	}
	for _, id := range []uint32{place.group, place.het} {
		if id == 0 {
			continue
		}
		if err := w.groups.Put(groupKey(id, k.job), nil); err != nil {
			return err
		}
	}
	return nil
}

// unplace removes the index entries by time. Those by group may serve another
// incarnation and stay; who reads them looks at the record anyway.
func (w *writer) unplace(k jobKey, p placed) error {
	if err := w.ends.Delete(p.endKey(k)); err != nil {
		return err
	}
	return w.users.Delete(p.userKey(k))
}

func (w *writer) step(b batch, k jobKey, index uint64, step *rinkpb.Step) error {
	key := k.stepKey(step.Id)
	was := &rinkpb.KeptStep{}
	if old := w.steps.Get(key); old != nil {
		if err := proto.Unmarshal(old, was); err == nil && (was.Index > index || b.imported && was.Index == index) {
			return nil
		}
	}
	if err := w.lateStep(k, was.Step, step); err != nil {
		return err
	}
	data, err := encodeStep(w.words, k, index, step)
	if err != nil {
		return badStep(k, step.Id, "cannot lay out its record", err)
	}
	return w.steps.Put(key, data)
}

// recount changes what is kept of a job that has its final record, and the
// roll-ups with it.
func (w *writer) recount(k jobKey, r *rinkpb.Record, used *rinkpb.StepsUsed, change func()) error {
	if err := w.rolls.job(r, used, -1); err != nil {
		return badJob(k, "cannot count", err)
	}
	change()
	if err := w.rolls.job(r, used, 1); err != nil {
		return badJob(k, "cannot count", err)
	}
	data, err := encodeJob(w.words, k, r, used)
	if err != nil {
		return badJob(k, "cannot lay out its record", err)
	}
	return w.jobs.Put(k.bytes(), data)
}

// lateStep counts a step of a job that has its final record already: one that
// the job's end cut off is told of again with what it used.
func (w *writer) lateStep(k jobKey, was, now *rinkpb.Step) error {
	old := w.jobs.Get(k.bytes())
	if old == nil {
		return nil
	}
	before, after := &rinkpb.StepsUsed{}, &rinkpb.StepsUsed{}
	addStep(before, was)
	addStep(after, now)
	if proto.Equal(before, after) {
		return nil
	}
	r, used, err := decodeJob(w.reader, k, old)
	if err != nil {
		return badJob(k, "cannot read the record before", err)
	}
	if used == nil {
		used = &rinkpb.StepsUsed{}
	}
	return w.recount(k, r, used, func() {
		used.Cpu += after.Cpu - before.Cpu
		used.GpuTime += after.GpuTime - before.GpuTime
		used.Energy += after.Energy - before.Energy
		used.Rss, used.GpuMem = max(used.Rss, after.Rss), max(used.GpuMem, after.GpuMem)
		used.GpuSpan = max(used.GpuSpan, after.GpuSpan)
	})
}

// stepsUsed adds up the steps of a job that were kept before its record.
func (w *writer) stepsUsed(k jobKey) (*rinkpb.StepsUsed, error) {
	prefix := k.stepKey(0)[:stepPrefix]
	c := w.steps.Cursor()
	var sum *rinkpb.StepsUsed
	for key, data := c.Seek(prefix); bytes.HasPrefix(key, prefix); key, data = c.Next() {
		kept := &rinkpb.KeptStep{}
		if err := proto.Unmarshal(data, kept); err != nil {
			return nil, badJob(k, "cannot read a step", err)
		}
		if kept.Batch || kept.Step.GetUsage() == nil {
			continue
		}
		if sum == nil {
			sum = &rinkpb.StepsUsed{}
		}
		addStep(sum, kept.Step)
	}
	return sum, nil
}

func addStep(sum *rinkpb.StepsUsed, step *rinkpb.Step) {
	u := step.GetUsage()
	if u == nil {
		return
	}
	sum.Cpu += u.UserCpu + u.SystemCpu
	sum.GpuTime += u.GpuTime
	sum.Energy += u.Energy
	sum.Rss, sum.GpuMem = max(sum.Rss, u.MaxRss, u.TotalRss), max(sum.GpuMem, u.GpuMem)
	sum.GpuSpan = max(sum.GpuSpan, u.GpuSpan)
}

// batchStep is the key among a job's steps of what its batch script used, for
// as long as the job has no final record to hold it. No step has this id.
const batchStep = 1<<32 - 1

// earlyBatch keeps what the batch script used: in the final record if it is
// there, else among the steps.
func (w *writer) earlyBatch(b batch, k jobKey, index uint64, usage *rinkpb.Usage) error {
	if old := w.jobs.Get(k.bytes()); old != nil {
		was, used, err := decodeJob(w.reader, k, old)
		if err != nil {
			return badJob(k, "cannot read the record before", err)
		}
		if was.Index > index || b.imported && was.Index == index {
			return nil
		}
		return w.recount(k, was, used, func() { was.Batch, was.Index = usage, max(index, was.Index) })
	}
	if old := w.steps.Get(k.stepKey(batchStep)); old != nil {
		was := &rinkpb.KeptStep{}
		if err := proto.Unmarshal(old, was); err == nil && was.Index > index {
			return nil
		}
	}
	data, err := proto.Marshal(&rinkpb.KeptStep{Index: index, Step: &rinkpb.Step{Usage: usage}, Batch: true})
	if err != nil {
		return badJob(k, "cannot lay out its batch script's usage", err)
	}
	return w.steps.Put(k.stepKey(batchStep), data)
}

// takeEarlyBatch removes and returns what earlyBatch kept among the steps.
func (w *writer) takeEarlyBatch(k jobKey) (*rinkpb.Usage, error) {
	key := k.stepKey(batchStep)
	data := w.steps.Get(key)
	if data == nil {
		return nil, nil
	}
	kept := &rinkpb.KeptStep{}
	if err := proto.Unmarshal(data, kept); err != nil {
		return nil, badJob(k, "cannot read its batch script's usage", err)
	}
	if err := w.steps.Delete(key); err != nil {
		return nil, err
	}
	return kept.GetStep().GetUsage(), nil
}

// recordError is why one record cannot be kept, when others still can.
type recordError struct {
	what string
	err  error
}

func (e *recordError) Error() string { return e.what + ": " + e.err.Error() }
func (e *recordError) Unwrap() error { return e.err }

func badJob(k jobKey, what string, err error) error {
	return &recordError{what: fmt.Sprintf("job %d: %s", k.job, what), err: err}
}

func badStep(k jobKey, step uint32, what string, err error) error {
	return &recordError{what: fmt.Sprintf("step %d.%d: %s", k.job, step, what), err: err}
}
