package sched

// A request that asks for free cores on each of a node's sockets, or bounds the tasks
// there, is the only one for which it matters at planning which CPUs others have:
// everything else counts them, and has them chosen when it starts.

// bySocket reports whether what a node can give depends on how it is free.
func (a *ask) bySocket() bool {
	return (a.sockets > 0 || a.cores > 0 || a.tasksPerSocket > 0) && !a.whole && a.sharing <= 1 && !a.overcommit
}

// socketRoom is what the sockets of a node hold for a request.
type socketRoom struct {
	cpus, shut int // CPUs on those it may use, and free ones on others
	tasks      int
}

// onSockets works out what a node's sockets have at the field's moment for a request
// that goes by them: those with fewer free cores than asked for give nothing, and where
// too few are left the node does not; nor does it, as in Slurm, where there is no room for
// as many tasks as a socket may have. ok is false where nothing is known, so that CPUs are
// just counted: where what is free is more than nobody has.
func (f *field) onSockets(a *ask, r *room, per perTask, left int) (out socketRoom, ok bool) {
	g := gridOf(r.n)
	if g.sockets != max(r.n.Sockets, 1) {
		return out, false
	}
	free, all := f.freeOnSockets(r, g)
	if all < left {
		return out, false
	}
	used, forTasks := 0, 0
	for _, s := range free {
		cores := s.cores
		if f.t.unit == 'p' {
			cores = s.touched
		}
		cpus := s.cpus
		if f.t.unit != 'p' {
			cpus = s.cores * g.threads
		}
		if cpus == 0 || cores < a.cores {
			out.shut += s.cpus
			continue
		}
		used++
		out.cpus += cpus
		if a.tasksPerSocket > 0 {
			cpus = min(cpus, per.cpusFor(a, f.t, r.n, a.tasksPerSocket))
		}
		forTasks += cpus
	}
	out.tasks = per.tasksIn(a, r.n, forTasks)
	if used < max(a.sockets, 1) || a.tpn == 0 && forTasks < per.cpusFor(a, f.t, r.n, a.tasksPerSocket) {
		return socketRoom{}, true
	}
	return out, true
}

// socketFree is what is free of a socket: CPUs, cores of which nobody has any, and cores
// of which somebody may have a part.
type socketFree struct{ cpus, cores, touched int }

// freeOnSockets lists what is free of each socket of a node at the field's moment. What
// a plan starts has no CPUs yet, and is taken to get them as they are mostly chosen: of
// the socket with the least room for all of it, else of the emptiest.
func (f *field) freeOnSockets(r *room, g cpuGrid) (list []socketFree, all int) {
	var had, set cpuSet
	loose := 0
	for i := range r.held {
		h := &r.held[i]
		switch {
		case h.end <= f.from && f.from > f.at || h.load.cpus == 0:
		case h.cpuIDs == "":
			loose += h.load.cpus
		default:
			set = set.read(h.cpuIDs)
			for k := range set.all() {
				had = had.with(k)
			}
		}
	}
	p := cpuPick{grid: g}
	for k := range p.reserved(r.n.CoreSpec).all() {
		had = had.with(k)
	}
	list = make([]socketFree, g.sockets)
	for core := range g.sockets * g.cores {
		s, free := &list[core/g.cores], 0
		for t := range g.threads {
			if !had.has(core*g.threads + t) {
				free++
			}
		}
		s.cpus += free
		all += free
		if free > 0 {
			s.touched++
		}
		if free == g.threads {
			s.cores++
		}
	}
	all -= loose
	for loose > 0 {
		best, fits := -1, false
		for i := range list {
			switch n := list[i].cpus; {
			case n == 0:
			case best < 0, n >= loose && (!fits || n < list[best].cpus), !fits && n > list[best].cpus:
				best, fits = i, n >= loose
			}
		}
		if best < 0 {
			break
		}
		s := &list[best]
		n := min(loose, s.cpus)
		s.cpus, loose = s.cpus-n, loose-n
		cores := (n + g.threads - 1) / g.threads
		s.cores, s.touched = max(s.cores-cores, 0), max(s.touched-n/g.threads, 0)
	}
	return list, all
}
