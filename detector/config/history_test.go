package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// One of the two settings does nothing without the other, and a selector is one.
func TestHistory(t *testing.T) {
	for _, test := range []struct {
		section          string
		warnings, faults []string
	}{
		{`{history_from: "http://p", history_selector: '{job="a"}'}`, nil, nil},
		{`{history_from: "", history_selector: ""}`, nil, nil},
		{`{history_from: "http://p"}`, []string{"f.yaml:1: history_from: does nothing without history_selector"}, nil},
		{`{history_selector: '{job="a"}'}`, []string{"f.yaml:1: history_selector: does nothing without history_from"},
			nil},
		{`{history_selector: job}`, nil,
			[]string{`f.yaml:1: history_selector: "job" is not a selector like {job="worker"}`}},
		{`{history_selector: "{}"}`, nil,
			[]string{`f.yaml:1: history_selector: "{}" is not a selector like {job="worker"}`}},
	} {
		_, warnings, faults := parse("resource_monitoring: " + test.section + "\n")
		if diff := cmp.Diff([][]string{test.warnings, test.faults}, [][]string{warnings, faults}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.section, diff)
		}
	}
}
