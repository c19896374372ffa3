package incident

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
)

// The classes of resources. What one call that never returns holds is one class: which of its goroutines, descriptors
// and threads is seen first differs from replica to replica.
const (
	callClass   = "calls"
	memoryClass = "memory"
)

// minListed is the share of the growth from which on a line has a fingerprint of its own.
const minListed = .1

// Fingerprints returns those of the causes that an alert names, each 16 hex digits, the first line's first: of the
// function and the class of the resource, so that they are the same in every replica, after each restart, and in
// versions in which lines moved. Without lines there is one: of the executable, the resource and the kind. lines is
// whether there are.
func Fingerprints(a *alerting.Alert) (all []string, lines bool) {
	for i := range a.Sites {
		s := &a.Sites[i]
		if i > 0 && s.Share < minListed && !s.Proven {
			continue
		}
		if f := siteFingerprint(a.Resource, s); len(all) == 0 || f != all[len(all)-1] {
			all = append(all, f)
		}
	}
	if len(all) > 0 {
		return all, true
	}
	return []string{digest("resource", a.Process.Executable, a.Resource, string(a.Kind))}, false
}

// siteFingerprint returns that of a line at which a resource grows.
func siteFingerprint(resource string, s *alerting.Site) string {
	function := s.Function
	if s.CalledFrom != "" {
		function = functionOf(s.CalledFrom)
	}
	if s.Resource == sampler.Goroutines {
		resource = s.Resource
	}
	return digest("line", stableName(function), classOf(resource))
}

func digest(parts ...string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", parts))
	return hex.EncodeToString(sum[:8])
}

func classOf(resource string) string {
	switch resource {
	case sampler.Goroutines, sampler.StackBytes, sampler.OpenFDs, sampler.Threads:
		return callClass
	case sampler.HeapLiveBytes, sampler.HeapInuseBytes, sampler.RSSBytes:
		return memoryClass
	}
	return resource
}

// functionOf returns the function of a line that is named as in "main.fetch /src/main.go:42".
func functionOf(line string) string {
	function, _, _ := strings.Cut(line, " ")
	return function
}

// numbered are the parts of a function's name that the compiler counts: another closure before it in the file changes
// them.
var numbered = regexp.MustCompile(`(\.func|\.gowrap|\.deferwrap|-range)\d+(\.\d+)*|-fm$`)

// stableName returns the name of a function without type arguments, and without what the compiler counts.
func stableName(function string) string {
	if i := strings.IndexByte(function, '['); i >= 0 {
		if j := strings.LastIndexByte(function, ']'); j > i {
			function = function[:i] + function[j+1:]
		}
	}
	return numbered.ReplaceAllString(function, "$1")
}
