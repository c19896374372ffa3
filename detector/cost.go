package detector

import (
	"time"

	"github.com/mdzesseis/leaktrend/detector/page"
)

// Cost is what the checks of a monitor have cost.
type Cost = page.Cost

// CheckCost returns what the checks have cost since the monitor was made.
func (m *ResourceMonitor) CheckCost() Cost {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.cost
	c.HistoryBytes = m.record.Bytes()
	return c
}

func (m *ResourceMonitor) account(took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cost.Checks++
	m.cost.Elapsed += took
	m.cost.Longest = max(m.cost.Longest, took)
}
