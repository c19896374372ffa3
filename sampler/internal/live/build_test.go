package live

import (
	"runtime/debug"
	"testing"
)

func TestBuild(t *testing.T) {
	revision := debug.BuildSetting{Key: "vcs.revision", Value: "4f2d1e"}
	modified := debug.BuildSetting{Key: "vcs.modified", Value: "true"}
	for _, test := range []struct {
		main          string
		settings      []debug.BuildSetting
		version, want string
	}{
		{"v2.1.0", []debug.BuildSetting{revision}, "v2.1.0", "4f2d1e"},
		{"(devel)", []debug.BuildSetting{{Key: "vcs.modified", Value: "false"}, revision}, "", "4f2d1e"},
		{"", []debug.BuildSetting{modified, revision}, "", "4f2d1e+dirty"},
		{"v2.1.0", []debug.BuildSetting{modified}, "v2.1.0", ""},
	} {
		version, got := Build(&debug.BuildInfo{Main: debug.Module{Version: test.main}, Settings: test.settings})
		if version != test.version || got != test.want {
			t.Errorf("%q %v: %q, %q, want %q, %q", test.main, test.settings, version, got, test.version, test.want)
		}
	}
}
