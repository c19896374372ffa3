package profile

import (
	"runtime/debug"
	"strings"
	"sync"
)

// mainModule is the path of the module that this program was built from; "" where that is not known. Its files lie in
// the module cache too where it was installed by its version.
var mainModule = sync.OnceValue(func() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Path
	}
	return ""
})

// isMain reports whether a package is of the main module.
func isMain(path string) bool { return within(path, mainModule()) }

// within reports whether a package is of a module.
func within(path, module string) bool {
	rest, found := strings.CutPrefix(path, module)
	return found && module != "" && (rest == "" || rest[0] == '/')
}

// moduleOf returns what distinguishes the code of one module from that of others: of a module in the cache its
// directory, of a vendored one the beginning of its import path, of the standard library, which has much that has
// nothing to do with each other, the package, and "" of the application.
func moduleOf(f Frame) string {
	switch originOf(f) {
	case ofRuntime, ofStandard:
		return PackageOf(f.Function)
	case ofApplication:
		return ""
	}
	if at := strings.LastIndex(f.File, "@v"); at >= 0 {
		if end := strings.IndexByte(f.File[at:], '/'); end >= 0 {
			return f.File[:at+end]
		}
		return f.File
	}
	return repositoryOf(PackageOf(f.Function))
}

// repositoryOf returns the part of an import path that names a repository: a host and, where it hosts those of many,
// the owner and the name.
func repositoryOf(path string) string {
	parts := 2
	switch host, _, _ := strings.Cut(path, "/"); host {
	case "github.com", "gitlab.com", "bitbucket.org", "codeberg.org", "golang.org", "cloud.google.com":
		parts = 3
	}
	end := 0
	for range parts {
		next := strings.IndexByte(path[end:], '/')
		if next < 0 {
			return path
		}
		end += next + 1
	}
	return path[:end-1]
}
