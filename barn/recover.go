package barn

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/hashicorp/raft"
)

// Recovered says what Recover found and made.
type Recovered struct {
	Index, Term uint64   // of the last entry of the log: what comes after it, if there ever was any, is lost
	Before      []Server // the controllers that were
}

// Recover makes the stopped controller in o.Dir a cluster of its own, with all
// that is in its log, for when so many of the others are lost for good that there
// is no majority. Sinks are brought up to the same entry.
//
// Two things cannot be known. What was acknowledged may be missing, if the lost
// controllers had it and this one did not; and entries at the end that were never
// acknowledged become part of the log. The other controllers must never be started
// again on what they have: they would be a second cluster of the same name.
func Recover(o Options) (done Recovered, err error) {
	if o, err = o.withDefaults(); err != nil {
		return done, err
	}
	lock, err := lockDir(o.Dir)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, lock.release()) }()
	known, err := readIdentity(o)
	if err != nil {
		return done, err
	}
	if known == nil || !known.Member {
		return done, fmt.Errorf("%q is not the directory of a controller that was in a cluster", o.Dir)
	}
	if err := checkPresent(o.Dir, true); err != nil {
		return done, err
	}
	raftLog := newRaftLog(o.Logger)
	snaps, err := openSnapshots(o.Dir, o.Keys, raftLog)
	if err != nil {
		return done, err
	}
	s, err := openStore(filepath.Join(o.Dir, logName), o.NoSync)
	if err != nil {
		return done, err
	}
	s.level, s.keys = o.readsLevel(), o.Keys
	s.snapshot = snaps.index.Load
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.checkEntries(snaps.index.Load()); err != nil {
		return done, err
	}
	if done, err = lastOf(s, snaps); err != nil {
		return done, err
	}

	var broken error
	f := newFSM(o, func(err error) { broken = err }, make(chan struct{}, 1))
	var feeders []*feeder
	for _, sink := range o.Sinks {
		feeders = append(feeders, newFeeder(sink, f.stream.watchTail(), func() bool { return true }))
	}
	f.setFeeders(feeders)
	for _, feed := range feeders {
		go feed.run(func(err error) { broken = errors.Join(broken, err) }) // ends with the stream below
	}
	_, trans := raft.NewInmemTransport(raft.ServerAddress(o.Address))
	defer trans.Close()
	c := raft.DefaultConfig()
	c.LocalID, c.Logger = raft.ServerID(o.ID), raftLog
	err = raft.RecoverCluster(c, f, s, s, snaps, trans, raft.Configuration{Servers: []raft.Server{
		{Suffrage: raft.Voter, ID: c.LocalID, Address: raft.ServerAddress(o.Address)},
	}})
	f.stream.end()
	for _, feed := range feeders {
		<-feed.done
	}
	if err = errors.Join(err, broken); err != nil {
		return done, fmt.Errorf("cannot make %q a cluster of its own: %w", o.Dir, err)
	}
	return done, s.SetUint64(termKey, done.Term+termLead)
}

// lastOf says where the log ends and which controllers there were.
func lastOf(s *store, snaps *snapshots) (Recovered, error) {
	var out Recovered
	var config raft.Configuration
	list, err := snaps.List()
	if err != nil {
		return out, err
	}
	if len(list) > 0 {
		out.Index, out.Term, config = list[0].Index, list[0].Term, list[0].Configuration
	}
	last, err := s.LastIndex()
	if err != nil {
		return out, err
	}
	for i := out.Index + 1; i <= last; i++ {
		var log raft.Log
		if err := s.GetLog(i, &log); err != nil {
			return out, err
		}
		if log.Type == raft.LogConfiguration {
			if config, err = decodeConfiguration(log.Data); err != nil {
				return out, fmt.Errorf("entry %d: %w", i, err)
			}
		}
		out.Index, out.Term = i, log.Term
	}
	if now, err := s.GetUint64(termKey); err == nil {
		out.Term = max(out.Term, now)
	}
	for _, m := range config.Servers {
		out.Before = append(out.Before, Server{ID: string(m.ID), Address: string(m.Address), Voter: m.Suffrage == raft.Voter})
	}
	return out, nil
}

// decodeConfiguration is the Raft library's, which panics on what it cannot read.
func decodeConfiguration(data []byte) (c raft.Configuration, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: a list of controllers: %v", ErrDamaged, r)
		}
	}()
	return raft.DecodeConfiguration(data), nil
}
