package finding

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
)

// A finding is alerted at its start and when it becomes more urgent; within the cooldown of its subject only what is
// more urgent is.
func TestDue(t *testing.T) {
	const cooldown = 30 * time.Minute
	type step struct {
		minute   int
		again    bool // another finding on the same subject begins
		severity alerting.Severity
	}
	for _, test := range []struct {
		name  string
		steps []step
		want  []bool
	}{
		{"once", []step{{0, false, alerting.Warning}, {1, false, alerting.Warning}, {90, false, alerting.Warning}},
			[]bool{true, false, false}},
		{"more urgent", []step{{0, false, alerting.Warning}, {1, false, alerting.Critical}, {2, false, alerting.High}},
			[]bool{true, true, false}},
		{"held back, and alerted once the cooldown is over", []step{
			{0, false, alerting.High}, {1, true, alerting.High}, {29, false, alerting.Warning},
			{30, false, alerting.Warning}, {31, false, alerting.Warning},
		}, []bool{true, false, false, true, false}},
		{"too urgent to be held back", []step{{0, false, alerting.Warning}, {1, true, alerting.High},
			{2, true, alerting.High}}, []bool{true, true, false}},
	} {
		var (
			last   Cooldown
			notice Notice
			got    []bool
		)
		for _, s := range test.steps {
			if s.again {
				notice = Notice{}
			}
			got = append(got, notice.Due(&last, int64(s.minute)*int64(time.Minute), s.severity, cooldown))
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: alerted (-want +got):\n%s", test.name, diff)
		}
	}
}
