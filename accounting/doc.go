// Package accounting keeps what became of jobs and steps, so that it can be
// asked after the cluster's live state has forgotten them. Each controller has
// a Store of its own, fed with records in the order of the replicated log, so
// that all hold the same history.
//
// Open a Store, Put the records of each log entry, and Query it. Applied says
// which entries a restart need not replay. DESIGN.md says how the file is laid
// out and why.
package accounting
