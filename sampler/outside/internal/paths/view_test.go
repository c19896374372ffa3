package paths

import (
	"strings"
	"testing"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/debuginfo"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/names"
)

// Names that go on for megabytes are cut, wherever they are kept.
func TestNamesAreBounded(t *testing.T) {
	long := strings.Repeat("n", 1<<20)
	step := new(Step)
	f := follower{step: step}
	for range debuginfo.MaxTypes {
		f.append(long)
	}
	if len(step.Reference) > 3*names.MaxShown {
		t.Errorf("a reference has %d bytes", len(step.Reference))
	}
	p := path{steps: make([]Step, 1000), owner: make([]int, 1000)}
	for i := range p.steps {
		p.steps[i], p.owner[i] = Step{Size: uint64(i)}, i
	}
	if got := p.collapse(); len(got.steps) != maxSteps+1 || cap(got.steps) > 2*maxSteps {
		t.Errorf("%d of 1000 steps are kept", len(got.steps))
	}
}
