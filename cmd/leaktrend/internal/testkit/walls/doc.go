// Package walls holds the tests of the house: the rules that docs/architecture.md states of packages, files and
// names, and that the page names what exists. Each says why it stands when it fails. What a package may import is
// held by the detector's import test.
package walls
