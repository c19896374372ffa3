package live

import "runtime/debug"

// Build returns the version of a Go program's main module, without that of none, and the revision of the source that it
// was built from. Each may be empty.
func Build(info *debug.BuildInfo) (version, revision string) {
	if version = info.Main.Version; version == "(devel)" {
		version = ""
	}
	modified := ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = "+dirty"
		}
	}
	if revision != "" {
		revision += modified
	}
	return version, revision
}
