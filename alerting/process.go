package alerting

import (
	"os"
	"path/filepath"
	"runtime/debug"
)

// ThisProcess identifies the running process, but for its start, which the caller knows better. What cannot be found is
// left empty.
func ThisProcess() Process {
	p := Process{PID: os.Getpid()}
	if host, err := os.Hostname(); err == nil {
		p.Host = host
	}
	if path, err := os.Executable(); err == nil {
		p.Executable = filepath.Base(path)
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		p.Version = buildVersion(info)
	}
	return p
}

// buildVersion returns the main module's version or, where it was built without one, the revision of its source.
func buildVersion(info *debug.BuildInfo) string {
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	var revision, dirty string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(len(s.Value), 12)]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+dirty"
		}
	}
	if revision == "" {
		return ""
	}
	return revision + dirty
}
