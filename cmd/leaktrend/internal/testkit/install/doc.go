// Package install holds the tests of what leaktrend is installed and run with: the files of docs/install, the release,
// the workflows, and the commands of docs/operations.md.
package install
