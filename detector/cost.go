package detector

import "time"

// Cost is what the checks of a monitor have cost.
type Cost struct {
	Checks       int64         `json:"checks"`
	Elapsed      time.Duration `json:"elapsed_ns"` // that all of them took, with what OnSample did
	Longest      time.Duration `json:"longest_ns"` // of one
	HistoryBytes int64         `json:"history_bytes"`
}

// CheckCost returns what the checks have cost since the monitor was made.
func (m *ResourceMonitor) CheckCost() Cost {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.cost
	c.HistoryBytes = m.past.bytes()
	return c
}

func (m *ResourceMonitor) account(took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cost.Checks++
	m.cost.Elapsed += took
	m.cost.Longest = max(m.cost.Longest, took)
}
