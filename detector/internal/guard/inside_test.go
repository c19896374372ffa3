package guard

import "testing"

func TestInside(t *testing.T) {
	var c, other Inside
	here := func(want bool, when string) {
		t.Helper()
		if got := c.Here(); got != want {
			t.Errorf("%s: inside %v, want %v", when, got, want)
		}
	}
	here(false, "at first")
	leave := c.Enter()
	here(true, "in a call")
	again := c.Enter()
	again()
	here(true, "after a call in a call")
	done := make(chan bool)
	go func() {
		elsewhere := c.Here()
		leave := c.Enter()
		done <- elsewhere || !c.Here()
		leave()
		done <- c.Here()
	}()
	within, after := <-done, <-done
	if within || after {
		t.Error("goroutines are taken for each other")
	}
	if other.Here() {
		t.Error("inside of what was never called")
	}
	leave()
	here(false, "after it")
}
