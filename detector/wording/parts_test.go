package wording

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
)

func TestPartClause(t *testing.T) {
	for _, test := range []struct {
		resource string
		part     alerting.Part
		want     string
	}{
		{sampler.OpenFDs, alerting.Part{What: "tcp", Detail: "CLOSE_WAIT to 10.0.0.5:5432", Count: 107, Growth: 95, Share: 95. / 97},
			"95 of 97 new descriptors are tcp CLOSE_WAIT to 10.0.0.5:5432"},
		{sampler.OpenFDs, alerting.Part{What: "pipe", Count: 70, Growth: 60, Share: 1}, "all 60 new descriptors are pipe"},
		{sampler.OpenFDs, alerting.Part{What: "pipe", Count: 70, Share: .7}, "70 of 100 descriptors are pipe"},
		{sampler.OpenFDs, alerting.Part{What: "file", Detail: "in /tmp", Count: 70000, Growth: 60000, Share: .8, Estimated: true},
			"about 60,000 of 75,000 new descriptors are file in /tmp"},
		{sampler.Threads, alerting.Part{What: "thread", Detail: "worker-*, sleeping", Count: 40, Growth: 38, Share: .95},
			"38 of 40 new threads are worker-*, sleeping"},
	} {
		if diff := cmp.Diff(test.want, PartClause(test.resource, &test.part)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}
