// Command goker checks one kernel of GoKer, and prints what leaktest says of it. The kernels are those of the Go
// distribution, which the test puts beside this file.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/mdzesseis/leaktrend/detector/leaktest"
)

// yieldCount is how often a kernel lets others run, so that they block.
const yieldCount = 10

var kernels = map[string]func(){}

func register(name string, f func()) { kernels[name] = f }

// printer is a test that prints how it fails.
type printer struct{}

func (printer) Helper() {}

func (printer) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }

func (printer) Cleanup(func()) {}

func main() {
	if len(os.Args) < 2 {
		for name := range kernels {
			fmt.Println(name)
		}
		return
	}
	leaktest.Check(printer{}, kernels[os.Args[1]], leaktest.Settle(200*time.Millisecond), leaktest.Budget(200*time.Millisecond))
}
