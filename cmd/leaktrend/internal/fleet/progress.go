package fleet

import "sync/atomic"

// Progress is how far a scan has come. It may be read while the scan runs.
type Progress struct {
	jobs, jobsDone       atomic.Int64
	targets, targetsDone atomic.Int64 // of the jobs whose targets are known, and of those that are looked back at
	asked                atomic.Int64 // processes that are to be looked back at, as far as is known
}

// Share returns the share of the work that is done, 0 to 1.
func (p *Progress) Share() float64 {
	jobs, targets := p.jobs.Load(), p.targets.Load()
	if jobs == 0 || targets == 0 {
		return 0
	}
	all := targets + min(p.asked.Load(), maxAsked)
	return float64(p.jobsDone.Load()) / float64(jobs) * float64(p.targetsDone.Load()) / float64(all)
}

// lookBack puts what is looked back at in the place of what was reckoned with.
func (p *Progress) lookBack(all []*batch) {
	for _, b := range all {
		p.targets.Add(int64(len(b.inner)))
	}
	p.asked.Store(0)
}
