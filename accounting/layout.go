package accounting

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/api/rinkpb"
)

// fileName is the history's file in the store's directory.
const fileName = "history.db"

// formatNow is the layout this version writes, and the highest it reads.
const formatNow = 2

// The buckets. Numbers in keys are big-endian, so that keys sort as numbers do.
// A jobKey is job(4) submitted(4) and, unless it is 0, restarts(4).
var (
	bucketHead   = []byte("head")   // "head" -> KeptHead
	bucketJobs   = []byte("jobs")   // jobKey -> KeptJob
	bucketSteps  = []byte("steps")  // job(4) submitted(4) restarts(4) step(4) -> KeptStep
	bucketEnds   = []byte("ends")   // class(1) end(4) jobKey -> span
	bucketUsers  = []byte("users")  // uid(4) class(1) end(4) jobKey -> span
	bucketGroups = []byte("groups") // array or het leader(4) job(4) -> nothing
	bucketWords  = []byte("words")  // word(4) -> its bytes
	bucketSums   = []byte("sums")   // hash of a word(8) -> word(4)

	// Since format 2.
	bucketRolls    = []byte("rolls")    // level(1) from(4) party(4) -> KeptRoll; a party is a word, 0 the whole cluster
	bucketNodes    = []byte("nodes")    // node -> NodeFact: what it is now
	bucketDowns    = []byte("downs")    // from(4) node -> NodeFact: when it was down
	bucketCapacity = []byte("capacity") // from(4) -> KeptCapacity
	bucketSpans    = []byte("spans")    // from(4) reservation(4) -> ReservationSpan

	headKey = []byte("head")

	firstBuckets = [][]byte{bucketHead, bucketJobs, bucketSteps, bucketEnds, bucketUsers, bucketGroups, bucketSums, bucketWords}
	laterBuckets = [][]byte{bucketRolls, bucketNodes, bucketDowns, bucketCapacity, bucketSpans}
	allBuckets   = slices.Concat(firstBuckets, laterBuckets)
)

// jobKey names one incarnation of a job. Beside id and restarts it has the
// second of submission: ids begin again when the highest has been given out,
// and history is longer than that. A job that gave nodes back has more than one record;
// the later ones are told apart by the second in which it did.
type jobKey struct {
	job       uint32
	submitted uint32 // seconds since the epoch
	restarts  uint32
}

func keyOf(j *rinkpb.Job) jobKey {
	return jobKey{job: j.Id, submitted: second(max(j.Submit, j.Resized)), restarts: j.Restarts}
}

// second returns a time in nanoseconds as the seconds used in keys: rounded
// down and kept within what four bytes hold, which ends in 2106.
func second(nanos int64) uint32 {
	const most = 1<<32 - 1
	return uint32(max(0, min(nanos/int64(time.Second), most)))
}

func (k jobKey) compare(o jobKey) int {
	for _, p := range [][2]uint32{{k.job, o.job}, {k.submitted, o.submitted}, {k.restarts, o.restarts}} {
		if p[0] != p[1] {
			if p[0] < p[1] {
				return -1
			}
			return 1
		}
	}
	return 0
}

func appendNum(b []byte, n uint32) []byte { return binary.BigEndian.AppendUint32(b, n) }

func (k jobKey) append(b []byte) []byte {
	b = appendNum(appendNum(b, k.job), k.submitted)
	if k.restarts != 0 {
		b = appendNum(b, k.restarts)
	}
	return b
}

func (k jobKey) bytes() []byte { return k.append(make([]byte, 0, 12)) }

// stepKey is the key of a step, or the prefix of all steps of k when it is cut
// to stepPrefix bytes.
func (k jobKey) stepKey(step uint32) []byte {
	b := make([]byte, 0, 16)
	return appendNum(appendNum(appendNum(appendNum(b, k.job), k.submitted), k.restarts), step)
}

const stepPrefix = 12

func parseJobKey(b []byte) (jobKey, error) {
	if len(b) != 8 && len(b) != 12 {
		return jobKey{}, fmt.Errorf("a job's key has %d bytes", len(b))
	}
	k := jobKey{job: binary.BigEndian.Uint32(b), submitted: binary.BigEndian.Uint32(b[4:])}
	if len(b) == 12 {
		k.restarts = binary.BigEndian.Uint32(b[8:])
	}
	return k, nil
}

func parseStepKey(b []byte) (k jobKey, step uint32, err error) {
	if len(b) != 16 {
		return jobKey{}, 0, fmt.Errorf("a step's key has %d bytes", len(b))
	}
	n := binary.BigEndian.Uint32
	return jobKey{job: n(b), submitted: n(b[4:]), restarts: n(b[8:])}, n(b[12:]), nil
}

// placed is where a record stands in the indexes by time. A job counts from
// when it was eligible, or submitted if it never was, to its end.
type placed struct {
	uid, end, from uint32
	group, het     uint32 // ids it is also found by; 0: none
}

func placeOf(j *rinkpb.Job) placed {
	p := placed{uid: j.Uid, end: second(j.End), from: second(j.Eligible)}
	if p.from == 0 || p.from > p.end {
		p.from = min(second(j.Submit), p.end)
	}
	if j.ArrayId != j.Id {
		p.group = j.ArrayId
	}
	if j.HetId != j.Id {
		p.het = j.HetId
	}
	return p
}

// span is the value in the indexes by time: how long before its end a job
// began to count, so that most jobs outside a window are passed over without a
// look at their records.
func (p placed) span() []byte { return binary.AppendUvarint(nil, uint64(p.end-p.from)) }

// fromOf is span undone.
func fromOf(end uint32, span []byte) (uint32, error) {
	n, size := binary.Uvarint(span)
	if size <= 0 || n > uint64(end) {
		return 0, errors.New("an index has a damaged value")
	}
	return end - uint32(n), nil
}

// classes part the indexes by time by how long jobs counted, each class having
// those of at most so many seconds: what was in a window long past is then
// found without a look at all that has ended since, short jobs being most.
var classes = []uint32{24 * 3600, 8 * 24 * 3600, 1<<32 - 1}

func (p placed) class() byte {
	for i, most := range classes {
		if p.end-p.from <= most {
			return byte(i)
		}
	}
	return byte(len(classes) - 1)
}

func (p placed) appendTime(b []byte, k jobKey) []byte {
	return k.append(appendNum(append(b, p.class()), p.end))
}

func (p placed) endKey(k jobKey) []byte { return p.appendTime(make([]byte, 0, 17), k) }

func (p placed) userKey(k jobKey) []byte {
	return p.appendTime(appendNum(make([]byte, 0, 21), p.uid), k)
}

func groupKey(group, job uint32) []byte { return appendNum(appendNum(make([]byte, 0, 8), group), job) }

// readHead reads what the file says of itself; a new file gets a head.
func readHead(tx *txn) (*rinkpb.KeptHead, error) {
	head := &rinkpb.KeptHead{}
	b := tx.Bucket(bucketHead)
	if b == nil {
		return nil, errors.New("it is not a history")
	}
	data := b.Get(headKey)
	if data == nil {
		return nil, errors.New("its head is missing")
	}
	if err := proto.Unmarshal(data, head); err != nil {
		return nil, fmt.Errorf("its head is damaged: %w", err)
	}
	if head.Format == 0 || head.Format > formatNow {
		return nil, fmt.Errorf("it has format %d (this version reads up to %d)", head.Format, formatNow)
	}
	return head, nil
}

func writeHead(tx *txn, head *rinkpb.KeptHead) error {
	data, err := proto.Marshal(head)
	if err != nil {
		return err
	}
	return tx.Bucket(bucketHead).Put(headKey, data)
}
