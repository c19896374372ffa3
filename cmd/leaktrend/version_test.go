package main

import (
	"encoding/json"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBuildOf(t *testing.T) {
	t.Parallel()
	goVersion, platform := runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH
	yes, no := true, false
	for _, test := range []struct {
		name string
		info *debug.BuildInfo
		want build
		text string
	}{
		{
			"nothing known", nil,
			build{Version: "(devel)", Go: goVersion, Platform: platform},
			"leaktrend (devel)\n  go        GO\n  platform  PLATFORM\n",
		},
		{
			"go install of a version", &debug.BuildInfo{Main: debug.Module{Version: "v0.1.0"}},
			build{Version: "v0.1.0", Go: goVersion, Platform: platform},
			"leaktrend v0.1.0\n  go        GO\n  platform  PLATFORM\n",
		},
		{
			"a release", &debug.BuildInfo{Main: debug.Module{Version: "v0.1.0"}, Settings: []debug.BuildSetting{
				{Key: "-trimpath", Value: "true"}, {Key: "vcs", Value: "git"}, {Key: "vcs.revision", Value: "e3a6cc4"},
				{Key: "vcs.time", Value: "2026-11-26T01:23:55Z"}, {Key: "vcs.modified", Value: "false"},
			}},
			build{Version: "v0.1.0", Revision: "e3a6cc4", Time: "2026-11-26T01:23:55Z", Modified: &no, Go: goVersion,
				Platform: platform},
			"leaktrend v0.1.0\n  revision  e3a6cc4\n  time      2026-11-26T01:23:55Z\n  go        GO\n" +
				"  platform  PLATFORM\n",
		},
		{
			"a changed checkout", &debug.BuildInfo{Main: debug.Module{Version: "v0.1.0+dirty"},
				Settings: []debug.BuildSetting{
					{Key: "vcs.revision", Value: "e3a6cc4"}, {Key: "vcs.modified", Value: "true"},
				}},
			build{Version: "v0.1.0+dirty", Revision: "e3a6cc4", Modified: &yes, Go: goVersion, Platform: platform},
			"leaktrend v0.1.0+dirty\n  revision  e3a6cc4 (modified)\n  go        GO\n  platform  PLATFORM\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := buildOf(test.info)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("build (-want +got):\n%s", diff)
			}
			text := strings.NewReplacer("GO", goVersion, "PLATFORM", platform).Replace(test.text)
			if diff := cmp.Diff(text, got.String()); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
		})
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	this := currentBuild()
	for _, args := range [][]string{{"version"}, {"--version"}, {"version", "--format", "text"}} {
		if diff := cmp.Diff(outcome{0, this.String(), ""}, leaktrend(t, "", args...),
			cmp.AllowUnexported(outcome{})); diff != "" {
			t.Errorf("%v (-want +got):\n%s", args, diff)
		}
	}
	var got build
	if err := json.Unmarshal([]byte(leaktrend(t, "", "version", "--format", "json").stdout), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(this, got); diff != "" {
		t.Errorf("as JSON (-want +got):\n%s", diff)
	}
	bad := outcome{exitUsage, "", "leaktrend: --format xml: must be text or json\n"}
	if diff := cmp.Diff(bad, leaktrend(t, "", "version", "--format", "xml"),
		cmp.AllowUnexported(outcome{})); diff != "" {
		t.Errorf("an unknown format (-want +got):\n%s", diff)
	}
}
