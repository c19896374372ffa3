package browsertest

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// The checker of accessibility: its version, and the digest of its package.
const (
	axePackage = "axe-core@4.14.1"
	axeDigest  = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
	axeFile    = "package/axe.min.js"
)

// axeScript returns the checker, which is fetched once for a process by npm: it is a file of half a megabyte that only
// this test needs.
var axeScript = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "leaktrend-axe")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	npm := exec.Command("npm", "pack", "--silent", "--pack-destination", dir, axePackage)
	npm.Dir = dir
	if out, err := npm.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm pack %s: %w: %.300s", axePackage, err, out)
	}
	packed, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil || len(packed) != 1 {
		return "", fmt.Errorf("npm pack made %q (%v)", packed, err)
	}
	return unpackAxe(packed[0])
})

// unpackAxe returns the script in a package, if it is the one that is known.
func unpackAxe(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if sum := sha512.Sum512(data); base64.StdEncoding.EncodeToString(sum[:]) != axeDigest {
		return "", errors.New(axePackage + " is not what it was")
	}
	unzipped, err := gzip.NewReader(strings.NewReader(string(data)))
	if err != nil {
		return "", err
	}
	for files := tar.NewReader(unzipped); ; {
		file, err := files.Next()
		if err != nil {
			return "", fmt.Errorf("%s in %s: %w", axeFile, axePackage, err)
		}
		if file.Name == axeFile {
			script, err := io.ReadAll(files)
			return string(script), err
		}
	}
}

// Violations returns what axe-core finds wrong with the page as it is, each with the rule and the first elements. It
// skips the test where the checker cannot be had.
func (tab *Tab) Violations() []string {
	tab.t.Helper()
	script, err := axeScript()
	if err != nil {
		tab.t.Skipf("accessibility is not checked: %v", err)
	}
	Eval[bool](tab, script+"; true")
	type violation struct {
		ID, Help string
		Nodes    []string
	}
	// As text, as what it returns holds elements of the page.
	text := Eval[string](tab, `axe.run().then(r => JSON.stringify(r.violations.map(v =>
		({ID: v.id, Help: v.help, Nodes: v.nodes.map(n => n.target.join(' ') + ' ' + (n.failureSummary || '').replace(/\s+/g, ' '))}))))`)
	var found []violation
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		tab.t.Fatal(err)
	}
	var all []string
	for _, v := range found {
		const first = 3
		all = append(all, fmt.Sprintf("%s: %s (%d): %s", v.ID, v.Help, len(v.Nodes),
			strings.Join(v.Nodes[:min(first, len(v.Nodes))], "; ")))
	}
	return all
}
