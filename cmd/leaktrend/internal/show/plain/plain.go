// Package plain says in a user's words what libraries say in a programmer's: what went wrong, and of what, without the
// calls and packages in which it did.
package plain

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
)

// Error returns the text of an error in plain words.
func Error(err error) string {
	return Text(reword(err.Error(), err))
}

// once leaves out a path that stands twice, as where the caller names the file, too.
func once(text, path string) string {
	return strings.ReplaceAll(text, path+": "+path+": ", path+": ")
}

// packages are names that errors of libraries begin with.
var packages = regexp.MustCompile(`(^|\n|: )(?:sampler|alerting|detector|engine|lives|profile|gotype|yaml|net/` +
	`http|http): `)

// calls are what is left of network errors where only their text is known.
var (
	dialed   = regexp.MustCompile(`dial (?:tcp|udp|unix)[46]? (\S+): (?:connect: )?`)
	lookedUp = regexp.MustCompile(`(?:dial (?:tcp|udp)[46]?: )?lookup (\S+?)(?: on \S+)?: `)
)

// Text rewords a text of an error that is not there any more.
func Text(text string) string {
	for packages.MatchString(text) { // one may stand behind the other
		text = packages.ReplaceAllString(text, "$1")
	}
	text = strings.ReplaceAll(text, " (file does not exist)", "")
	text = strings.ReplaceAll(text, "ends too early: unexpected EOF", "ends too early")
	text = strings.ReplaceAll(text, "unexpected EOF", "it ends too early")
	text = lookedUp.ReplaceAllString(text, "$1: ")
	return dialed.ReplaceAllString(text, "$1: ")
}

// reword puts plain words in the place of those of the errors within one, the outer ones first.
func reword(text string, err error) string {
	if plain := words(err); plain != "" {
		text = strings.Replace(text, err.Error(), plain, 1)
	}
	if of, ok := err.(*fs.PathError); ok {
		text = once(text, named(of.Path))
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			text = reword(text, inner)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			text = reword(text, inner)
		}
	}
	return text
}

// words returns what an error of the standard library means; "" where it says so itself.
func words(err error) string {
	switch e := err.(type) {
	case *fs.PathError:
		return named(e.Path) + ": " + e.Err.Error()
	case *os.LinkError:
		return named(e.New) + ": " + e.Err.Error()
	case *os.SyscallError:
		return e.Err.Error()
	case *net.OpError:
		if named := (*net.DNSError)(nil); e.Addr == nil || errors.As(e.Err, &named) {
			return e.Err.Error()
		}
		return e.Addr.String() + ": " + e.Err.Error()
	case *net.AddrError:
		return e.Err
	case *syntax.Error:
		return fmt.Sprintf("%s: %s", e.Code, e.Expr)
	}
	return ""
}

// named is a path as it can be seen.
func named(path string) string {
	if path == "" {
		return strconv.Quote(path)
	}
	return path
}

// Count writes a number of things: 1 line, 2 lines.
func Count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}
