package sched

// Extreme is the least and the most that a task used of something.
type Extreme struct{ Low, High *OfTask }

// Extremes lists those of a usage; High is nil where there is but a least.
func (u *Usage) Extremes() []Extreme {
	return []Extreme{{&u.CPUMin, &u.CPUMax}, {&u.RSSMin, nil}, {&u.PagesMin, &u.PagesMax}, {&u.ReadMin, &u.ReadMax}, {&u.WriteMin, &u.WriteMax},
		{&u.GPUMemMin, &u.GPUMemMax}, {&u.GPUUtilMin, &u.GPUUtilMax}}
}

// Plus puts together what a step used on two sets of nodes.
func (u Usage) Plus(b Usage) Usage {
	a := u
	if a.Tasks == 0 {
		return b
	}
	if b.Tasks == 0 {
		return a
	}
	a.UserCPU += b.UserCPU
	a.SystemCPU += b.SystemCPU
	if b.MaxRSS > a.MaxRSS {
		a.MaxRSS, a.MaxRSSNode, a.MaxRSSTask = b.MaxRSS, b.MaxRSSNode, b.MaxRSSTask
	}
	a.TotalRSS += b.TotalRSS
	a.MaxVMSize = max(a.MaxVMSize, b.MaxVMSize)
	a.PagesMajor += b.PagesMajor
	a.ReadBytes += b.ReadBytes
	a.WriteBytes += b.WriteBytes
	a.Tasks += b.Tasks
	a.Energy += b.Energy
	a.GPUTime += b.GPUTime
	a.GPUMem += b.GPUMem
	a.GPUSpan = max(a.GPUSpan, b.GPUSpan)
	ours, theirs := a.Extremes(), b.Extremes()
	for i := range ours {
		if theirs[i].Low.Amount < ours[i].Low.Amount {
			*ours[i].Low = *theirs[i].Low
		}
		if ours[i].High != nil && theirs[i].High.Amount > ours[i].High.Amount {
			*ours[i].High = *theirs[i].High
		}
	}
	return a
}
