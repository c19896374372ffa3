//go:build go1.25

package source

import (
	"errors"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/outside"
)

// A program whose runtime was not ready when it was opened is read later. One that can never be read costs less and
// less.
func TestOpenedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var tries []time.Duration
		p, err := openProcess(os.Getpid(), func(int) (*outside.Process, error) {
			tries = append(tries, time.Since(began))
			return nil, errors.New("its goroutines could not be read")
		})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		var s sampler.Sample
		for time.Since(began) < 4*time.Hour {
			_ = p.Sample(t.Context(), &s)
			time.Sleep(5 * time.Second)
		}
		want := []time.Duration{0}
		for _, seconds := range []int{10, 30, 70, 150, 310, 630, 1270, 2550, 5110, 8710, 12310} {
			want = append(want, time.Duration(seconds)*time.Second)
		}
		if !slices.Equal(tries, want) {
			t.Errorf("opened at %v, want %v", tries, want)
		}
	})
}
