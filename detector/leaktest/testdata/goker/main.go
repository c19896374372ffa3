// Command goker checks one kernel of GoKer, by stretches of 5 rounds or more or as many as are asked for, and prints
// what leaktest says of it. The kernels are those of the Go
// distribution, which the test puts beside this file.
package main

import (
	"fmt"
	"os"
	"strconv"
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
	options := []leaktest.Option{leaktest.Settle(200 * time.Millisecond), leaktest.Budget(200 * time.Millisecond)}
	if len(os.Args) > 2 {
		rounds, err := strconv.Atoi(os.Args[2])
		if err != nil {
			fmt.Println(err)
			os.Exit(2)
		}
		options = append(options, leaktest.Rounds(rounds))
	}
	leaktest.Check(printer{}, kernels[os.Args[1]], options...)
}
