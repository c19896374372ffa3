package leaktest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/mdzesseis/leaktrend/detector/leaktest"
)

// exampleT stands for the *testing.T of a test.
type exampleT struct{}

func (exampleT) Helper() {}

func (exampleT) Errorf(string, ...any) { fmt.Println("the test fails") }

func (exampleT) Cleanup(func()) {}

// subscribers are called with each message.
var subscribers []func(string)

// A subscription that nobody ends, with every round.
func ExampleCheck() {
	t := exampleT{} // in a test: its *testing.T
	leaktest.Check(t, func() {
		inbox := make([]string, 0, 1000)
		subscribers = append(subscribers, func(message string) { inbox = append(inbox, message) })
	})
	// Output: the test fails
}

// A cache is filled once.
func ExampleCheck_cache() {
	t := exampleT{} // in a test: its *testing.T
	cache := make(map[string][]byte)
	leaktest.Check(t, func() {
		if _, found := cache["key"]; !found {
			cache["key"] = make([]byte, 1000)
		}
	})
	fmt.Println("done")
	// Output: done
}

// Goroutines that are to stay, by the function that they run.
func ExampleAllowFunction() {
	t := exampleT{} // in a test: its *testing.T
	leaktest.Check(t, func() { go stay() },
		leaktest.AllowFunction("github.com/mdzesseis/leaktrend/detector/leaktest_test.stay"))
	fmt.Println("done")
	// Output: done
}

func stay() { select {} }

// A server is watched for a minute under load.
func ExampleSoak() {
	t := exampleT{} // in a test: its *testing.T
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	leaktest.Soak(t, time.Minute)
	for over := time.Now().Add(time.Minute); time.Now().Before(over); {
		if r, err := http.Get(server.URL); err == nil {
			_ = r.Body.Close()
		}
	}
}
