package process

import (
	"cmp"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/internal/executable"
	"github.com/mdzesseis/leaktrend/sampler/internal/live"
)

// The environment variables that may name what a process runs, in order of preference. Nothing else of the environment
// is read, and no value is kept that does not look like a version.
var (
	versionVariables = []string{"DD_VERSION", "SERVICE_VERSION", "APP_VERSION", "RELEASE_VERSION", "IMAGE_TAG",
		"SENTRY_RELEASE"}
	// Not GIT_TAG and the like of build systems, nor VERSION alone, which images set for what they are built on.
	revisionVariables = []string{"DD_GIT_COMMIT_SHA", "GIT_COMMIT", "GIT_SHA", "COMMIT_SHA", "SOURCE_COMMIT"}
)

const (
	maxEnvironment = 256 << 10
	maxVersion     = 64 // bytes
)

// buildOf returns the version and the revision of what the process of a directory in the proc file system runs: what
// its Go program was built from, else what its environment says. Each is empty where that cannot be seen.
func buildOf(dir string) (version, revision string) {
	if exe, err := os.Open(filepath.Join(dir, "exe")); err == nil {
		defer exe.Close()
		if info, err := executable.BuildInfo(exe); err == nil {
			version, revision = live.Build(info)
		}
	}
	if version != "" {
		return version, revision
	}
	file, err := os.Open(filepath.Join(dir, "environ"))
	if err != nil {
		return version, revision
	}
	defer file.Close()
	environment, err := io.ReadAll(io.LimitReader(file, maxEnvironment))
	if err != nil {
		return version, revision
	}
	envVersion, envRevision := fromEnvironment(string(environment))
	return envVersion, cmp.Or(revision, envRevision)
}

// fromEnvironment returns the version and the revision that the variables of an environment name.
func fromEnvironment(environment string) (version, revision string) {
	versions, revisions := make([]string, len(versionVariables)), make([]string, len(revisionVariables))
	for variable := range strings.SplitSeq(environment, "\x00") {
		name, value, _ := strings.Cut(variable, "=")
		if !looksLikeVersion(value) {
			continue
		}
		for i, of := range versionVariables {
			if name == of {
				versions[i] = value
			}
		}
		for i, of := range revisionVariables {
			if name == of {
				revisions[i] = value
			}
		}
	}
	return cmp.Or(versions...), cmp.Or(revisions...)
}

// looksLikeVersion reports whether a value may be a version, a tag of an image or a revision.
func looksLikeVersion(value string) bool {
	outside := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
			strings.ContainsRune("._-+:/@", r))
	}
	return value != "" && len(value) <= maxVersion && !strings.Contains(value, "://") &&
		!strings.ContainsFunc(value, outside)
}
