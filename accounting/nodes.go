package accounting

import (
	"errors"
	"fmt"
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/api/rinkpb"
)

// share is what a job or a step had on one node.
type share struct {
	node  string
	cpus  int32
	mem   int64
	tasks int32
	gres  []*rinkpb.GresAlloc
}

// nodeRange is a range of names: prefix and numbers from first on.
type nodeRange struct {
	prefix string
	width  uint32
	first  uint32
	count  uint32
}

// Widths with a meaning of their own; others are the number of digits.
const (
	widthNatural  = 0 // no leading zeros
	widthNoNumber = 1 // the prefix is the whole name
)

// maxDigits keeps the numbers of names within four bytes.
const maxDigits = 9

func splitName(name string) nodeRange {
	i := len(name)
	for i > 0 && len(name)-i < maxDigits && name[i-1] >= '0' && name[i-1] <= '9' {
		i--
	}
	digits := name[i:]
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil { // no digits
		return nodeRange{prefix: name, width: widthNoNumber, count: 1}
	}
	r := nodeRange{prefix: name[:i], width: widthNatural, first: uint32(n), count: 1}
	if digits[0] == '0' && len(digits) > 1 {
		r.width = uint32(len(digits))
	}
	return r
}

func (r nodeRange) name(i uint32) string {
	switch r.width {
	case widthNoNumber:
		return r.prefix
	case widthNatural:
		return r.prefix + strconv.FormatUint(uint64(r.first+i), 10)
	}
	return fmt.Sprintf("%s%0*d", r.prefix, int(r.width), r.first+i)
}

// packNodes lays out n shares, given by their position, in their order:
// neighbours with the same share and consecutive names cost nothing more.
func packNodes(w *wordWriter, n int, at func(int) share) ([]*rinkpb.NodeRun, error) {
	var runs []*rinkpb.NodeRun
	var gres []byte // of the last run
	var last nodeRange
	for i := range n {
		s := at(i)
		var sameGres []byte
		if len(s.gres) > 0 {
			var err error
			if sameGres, err = stable.Marshal(&rinkpb.NodeAlloc{Gres: s.gres}); err != nil {
				return nil, err
			}
		}
		var run *rinkpb.NodeRun
		if len(runs) > 0 {
			run = runs[len(runs)-1]
		}
		if run == nil || run.Cpus != s.cpus || run.Mem != s.mem || run.Tasks != s.tasks || string(gres) != string(sameGres) {
			run = &rinkpb.NodeRun{Cpus: s.cpus, Mem: s.mem, Tasks: s.tasks}
			gres, last = sameGres, nodeRange{}
			if gres != nil {
				num, err := w.word(gres, false)
				if err != nil {
					return nil, err
				}
				if num != 0 {
					run.GresWord = num
				} else {
					run.Gres = s.gres
				}
			}
			runs = append(runs, run)
		}
		if last.count > 0 && last.width != widthNoNumber && last.name(last.count) == s.node {
			last.count++
			run.Names[len(run.Names)-1] = last.count
			continue
		}
		last = splitName(s.node)
		prefix, err := w.word([]byte(last.prefix), true)
		if err != nil {
			return nil, err
		}
		if prefix == 0 {
			return nil, errors.New("cannot keep a node's name: the dictionary is full")
		}
		run.Names = append(run.Names, prefix, last.width, last.first, last.count)
	}
	return runs, nil
}

// maxNodes bounds what a damaged record can make a reader spend.
const maxNodes = 1 << 20

// unpackNodes is packNodes undone.
func unpackNodes(w wordReader, runs []*rinkpb.NodeRun, add func(share)) error {
	left := maxNodes
	for _, run := range runs {
		s := share{cpus: run.Cpus, mem: run.Mem, tasks: run.Tasks, gres: run.Gres}
		if run.GresWord != 0 {
			data, err := w.word(run.GresWord)
			if err != nil {
				return err
			}
			var a rinkpb.NodeAlloc
			if err := proto.Unmarshal(data, &a); err != nil {
				return err
			}
			s.gres = a.Gres
		}
		if len(run.Names)%4 != 0 {
			return errors.New("it has part of a node's name")
		}
		for n := run.Names; len(n) > 0; n = n[4:] {
			prefix, err := w.word(n[0])
			if err != nil {
				return err
			}
			r := nodeRange{prefix: string(prefix), width: n[1], first: n[2], count: n[3]}
			if r.count > uint32(left) || r.width > maxDigits {
				return errors.New("it has too many nodes")
			}
			left -= int(r.count)
			for i := range r.count {
				s.node = r.name(i)
				add(s)
			}
		}
	}
	return nil
}
