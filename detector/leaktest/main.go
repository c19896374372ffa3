package leaktest

import (
	"flag"
	"fmt"
	"io"
	"os"
	"time"
)

// TestingM is what VerifyTestMain needs of *testing.M.
type TestingM interface {
	Run() (code int)
}

// VerifyTestMain runs the tests of a package, and exits with their code, or with 1 where they pass and leave goroutines
// behind that leak:
//
//	func TestMain(m *testing.M) { leaktest.VerifyTestMain(m) }
//
// Tests that leave nothing behind run once. Where goroutines are left, which may be those of a pool that was started
// for good, the tests run once more, as with -count=2: lines of code that have more again leak. Memory and descriptors
// are not looked at. Where the tests cannot run twice (-bench, -fuzz, -cpuprofile, -trace), what is left is not judged,
// which is said. AllowFunction and Settle are the options that count.
func VerifyTestMain(m TestingM, opts ...Option) { os.Exit(verify(m, optionsOf(opts), os.Stderr)) }

func verify(m TestingM, o options, out io.Writer) (code int) {
	c := &check{options: o, stock: newStock(o, ""), started: time.Now()}
	defer c.stock.close()
	c.stock.goroutinesOnly = true
	c.stock.measure()
	for run := range minProven {
		if code := m.Run(); code != 0 {
			return code
		}
		c.stretches = append(c.stretches, 1)
		c.stock.measure()
		c.settleDown()
		if !c.suspects() {
			return 0
		}
		if run > 0 {
			continue
		}
		if name := runsOnce(); name != "" {
			fmt.Fprintf(out, "leaktest: the tests have left goroutines behind, which are not judged, as -%s lets "+
				"them run once alone\n", name)
			return 0
		}
		fmt.Fprintln(out,
			"leaktest: the tests have left goroutines behind: they run once more, to see whether these leak")
	}
	r := c.report()
	if r == nil {
		return 0
	}
	r.headline = "leak: each run of the tests leaves more goroutines behind"
	annotate(r)
	fmt.Fprintln(out, r.text())
	return 1
}

// runsOnce returns the flag of go test by which tests are run once alone; "" where there is none.
func runsOnce() string {
	for _, name := range []string{"bench", "fuzz", "cpuprofile", "trace"} {
		if f := flag.Lookup("test." + name); f != nil && f.Value.String() != "" {
			return name
		}
	}
	return ""
}
