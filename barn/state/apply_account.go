package state

import (
	"fmt"
	"slices"
	"time"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// Bounds on the list of transactions: the oldest go when there are more, and a
// Purge lets go of those that are older.
const (
	maxTransactions  = 10_000
	transactionsKept = 366 * 24 * time.Hour
)

// Accounts returns who may use the cluster and how much of it. It is replaced
// when something changes, so it may be read without the lock.
func (s *State) Accounts() *sched.Accounts { return s.accounts }

// Transactions returns the changes of the accounts, the oldest first.
func (s *State) Transactions() []*sched.Transaction {
	return s.transactions[:len(s.transactions):len(s.transactions)]
}

// editAccounts changes the accounts. An edit made on what is no longer so is
// refused, and made anew by who asked for it.
func (s *State) editAccounts(c EditAccounts) error {
	next, err := s.accounts.With(c.Edit, s.index)
	if err != nil {
		return fmt.Errorf("cannot change the accounts: %w", err)
	}
	if jobs := s.ChargedTo(c.Edit.DropAssocs); len(jobs) > 0 {
		return fmt.Errorf("cannot change the accounts: job %d is charged to association %d: %w", jobs[0].ID, jobs[0].AssocID, slurm.ErrnoJobsRunningOnAssoc)
	}
	s.note(c.Notes)
	s.setAccounts(next)
	return nil
}

// ChargedTo returns the jobs that wait or hold resources and are charged to one of
// these associations.
func (s *State) ChargedTo(ids []sched.AssocID) []*sched.Job {
	if len(ids) == 0 {
		return nil
	}
	of := make(map[sched.AssocID]bool, len(ids))
	for _, id := range ids {
		of[id] = true
	}
	var jobs []*sched.Job
	for _, list := range []*jobList{&s.pending, &s.holding} {
		for j := range list.all() {
			if of[j.AssocID] {
				jobs = append(jobs, j)
			}
		}
	}
	return jobs
}

// setAccounts publishes the accounts.
func (s *State) setAccounts(next *sched.Accounts) {
	s.events = append(s.events, AccountsChanged{Old: s.accounts, New: next})
	s.accounts, s.view = next, nil
	if config := s.config.WithResources(next); config != s.config {
		s.useConfig(config)
		s.events = append(s.events, LicensesChanged{Config: config})
		return
	}
	s.ledger.Rebuild(s.config, s.accounts, s.at, s.all.all())
}

// note adds to the list of transactions what the actor of the entry did.
func (s *State) note(notes []sched.Transaction) {
	for _, n := range notes {
		s.nextTransaction++
		n.ID, n.At, n.Actor = s.nextTransaction, s.at, s.actor.User
		s.transactions = append(s.transactions, &n)
	}
	if over := len(s.transactions) - maxTransactions; over > 0 {
		s.transactions = s.transactions[over:]
	}
}

// countTRES gives the kinds of resources that the configuration wants counted
// their numbers.
func (s *State) countTRES(config *sched.Config) {
	if config.Conf == nil {
		return
	}
	next := s.accounts.WithTRES(config.Conf.AccountingStorageTRES, s.index)
	if next == s.accounts {
		return
	}
	for _, k := range next.TRES[len(s.accounts.TRES):] {
		s.note([]sched.Transaction{{
			Action: "Add TRES", Where: fmt.Sprintf("id=%d", k.ID), Info: fmt.Sprintf("type='%s', name='%s'", k.Type, k.Name), Clusters: []string{s.cluster},
		}})
	}
	s.setAccounts(next)
}

// purgeTransactions forgets changes of the accounts that were long ago.
func (s *State) purgeTransactions() {
	gone := slices.IndexFunc(s.transactions, func(t *sched.Transaction) bool { return !t.At.Add(transactionsKept).Before(s.at) })
	if gone < 0 {
		gone = len(s.transactions)
	}
	s.transactions = s.transactions[gone:]
}

// loadAccounts takes the accounts of a dump; one from before there were any has
// those that a cluster begins with.
func (s *State) loadAccounts(d *Dump) error {
	s.nextTransaction, s.transactions = d.NextTransaction, slices.Clone(d.Transactions)
	if len(d.Accounts.Accounts) == 0 {
		return nil
	}
	a, err := sched.AccountsOf(d.Accounts)
	if err != nil {
		return err
	}
	s.accounts = a
	return nil
}
