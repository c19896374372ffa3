package process

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/internal/live"
)

func TestBuildOf(t *testing.T) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		t.Fatal("this program does not know what it was built from")
	}
	wantVersion, wantRevision := live.Build(info)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, exe, environment string
		want                   [2]string
	}{
		{"this program", self, "", [2]string{wantVersion, wantRevision}},
		{"another language", "", "PATH=/bin\x00APP_VERSION=2.1.0\x00GIT_SHA=4f2d1e\x00", [2]string{"2.1.0", "4f2d1e"}},
		{"the image's tag", "", "IMAGE_TAG=registry.example/shop/cart:2.1.0@sha256\x00",
			[2]string{"registry.example/shop/cart:2.1.0@sha256", ""}},
		{"the better known one", "", "IMAGE_TAG=2\x00DD_VERSION=1\x00IMAGE_TAG=3\x00", [2]string{"1", ""}},
		{"of what it is built on", "", "NODE_VERSION=22.1.0\x00PYTHON_VERSION=3.13\x00VERSION=1\x00", [2]string{}},
		{"secrets", "", "APP_VERSION=pass word\x00IMAGE_TAG=https://a:b@c\x00DD_VERSION=" + strings.Repeat("x", 65) +
			"\x00", [2]string{}},
		{"nothing", "", "", [2]string{}},
	} {
		dir := t.TempDir()
		if test.exe != "" {
			if err := os.Symlink(test.exe, filepath.Join(dir, "exe")); err != nil {
				t.Fatal(err)
			}
		}
		if test.environment != "" {
			if err := os.WriteFile(filepath.Join(dir, "environ"), []byte(test.environment), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		version, revision := buildOf(dir)
		if diff := cmp.Diff(test.want, [2]string{version, revision}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// The samples of a process tell what it runs.
func TestSampleTellsTheBuild(t *testing.T) {
	p := newProcessOf(t, os.Getpid())
	p.program.version, p.program.revision = "2.1.0", "4f2d1e"
	var s sampler.Sample
	sample(t, p, &s)
	if s.Version != "2.1.0" || s.Revision != "4f2d1e" {
		t.Errorf("version %q, revision %q", s.Version, s.Revision)
	}
}
