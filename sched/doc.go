// Package sched holds the nouns of the scheduler (Job, Step, Node, Partition,
// Config) and decides who runs where and when, and why not yet. It is pure: a
// View and a time go in, a Plan comes out, and nothing else changes.
//
// Jobs, nodes and partitions are values that many goroutines read at once:
// whoever changes one works on a Clone and publishes the clone. Nothing
// reachable from a published value is ever written to.
package sched
