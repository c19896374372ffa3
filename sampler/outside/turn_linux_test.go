package outside

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/goruntime"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/search"
)

// One search is made at a time, however many processes leak at once: the next one waits for its turn.
func TestSearchesTakeTurns(t *testing.T) {
	if o, err := Open(os.Getpid()); err != nil {
		t.Skip("this toolchain is not known, or this system forbids it: ", err)
	} else {
		_ = o.Close()
	}
	began, proceed, ended := make(chan int), make(chan int), make(chan error)
	go func() {
		_, err := searchOwn(t.Context(), func(*Process) (search.Wanted, error) {
			close(began)
			<-proceed
			return search.Wanted{}, goruntime.ErrTorn
		})
		ended <- err
	}()
	<-began
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	called := false
	request := func(*Process) (search.Wanted, error) { called = true; return search.Wanted{}, goruntime.ErrTorn }
	if _, err := searchOwn(impatient, request); called || !errors.Is(err, context.Canceled) {
		t.Errorf("a second search began, or ended with %v", err)
	}
	close(proceed)
	if err := <-ended; !errors.Is(err, goruntime.ErrTorn) {
		t.Error(err)
	}
	if _, err := searchOwn(t.Context(), request); !called || !errors.Is(err, goruntime.ErrTorn) {
		t.Errorf("the next one did not begin, or ended with %v", err)
	}
}
