// Package modules checks modules that many use, which leak nothing. It is a module of its own: leaktrend needs none of
// them.
package modules

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"
	"github.com/gorilla/mux"
	"github.com/gorilla/websocket"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/klauspost/compress/zstd"
	"github.com/patrickmn/go-cache"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"
	"gopkg.in/yaml.v3"

	"github.com/mdzesseis/leaktrend/detector/leaktest"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// rounds are work with modules that many use.
func rounds(t *testing.T) map[string]func(*testing.T) {
	n := 0
	recent, err := lru.New[int, []byte](128)
	must(t, err)
	var flights singleflight.Group
	timed := cache.New(time.Minute, time.Minute)
	registry := prometheus.NewRegistry()
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "requests_total", Help: "requests"},
		[]string{"code"})
	registry.MustRegister(requests)
	logger := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()),
		zapcore.AddSync(io.Discard), zap.InfoLevel))
	log := logrus.New()
	log.SetOutput(io.Discard)
	upgrader := websocket.Upgrader{}
	sockets := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		for {
			kind, text, err := c.ReadMessage()
			if err != nil || c.WriteMessage(kind, text) != nil {
				return
			}
		}
	}))
	t.Cleanup(sockets.Close)
	return map[string]func(*testing.T){
		"cenkalti/backoff": func(t *testing.T) {
			must(t, backoff.Retry(func() error { return nil }, backoff.NewExponentialBackOff()))
		},
		"go-chi/chi": func(*testing.T) {
			r := chi.NewRouter()
			r.Get("/{id}", func(http.ResponseWriter, *http.Request) {})
			r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/1", nil))
		},
		"google/uuid": func(*testing.T) { _ = uuid.NewString() },
		"gorilla/mux": func(*testing.T) {
			r := mux.NewRouter()
			r.HandleFunc("/{id}", func(http.ResponseWriter, *http.Request) {})
			r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/1", nil))
		},
		"gorilla/websocket": func(t *testing.T) {
			c, r, err := websocket.DefaultDialer.Dial("ws"+sockets.URL[len("http"):], nil)
			must(t, err)
			must(t, r.Body.Close())
			must(t, c.WriteMessage(websocket.TextMessage, []byte("text")))
			_, _, err = c.ReadMessage()
			must(t, err)
			must(t, c.Close())
		},
		"hashicorp/golang-lru": func(*testing.T) { n++; recent.Add(n, make([]byte, 100)) },
		"klauspost/compress": func(t *testing.T) {
			w, err := zstd.NewWriter(nil)
			must(t, err)
			packed := w.EncodeAll(make([]byte, 10_000), nil)
			must(t, w.Close())
			r, err := zstd.NewReader(bytes.NewReader(packed))
			must(t, err)
			_, err = io.Copy(io.Discard, r)
			must(t, err)
			r.Close()
		},
		"patrickmn/go-cache": func(*testing.T) { n++; timed.SetDefault(strconv.Itoa(n%50), n) },
		"prometheus/client_golang": func(t *testing.T) {
			n++
			requests.WithLabelValues(strconv.Itoa(n % 5)).Inc()
			_, err := registry.Gather()
			must(t, err)
		},
		"rs/zerolog":      func(*testing.T) { l := zerolog.New(io.Discard); l.Info().Int("a", 1).Msg("text") },
		"sirupsen/logrus": func(*testing.T) { log.WithField("a", 1).Info("text") },
		"spf13/cobra": func(t *testing.T) {
			c := &cobra.Command{Use: "a", Run: func(*cobra.Command, []string) {}}
			c.SetArgs([]string{})
			must(t, c.Execute())
		},
		"stretchr/testify": func(t *testing.T) { assert.Equal(t, []int{1}, []int{1}) },
		"uber-go/zap":      func(*testing.T) { logger.With(zap.Int("a", 1)).Info("text") },
		"x/sync/errgroup": func(t *testing.T) {
			g, ctx := errgroup.WithContext(context.Background())
			for range 5 {
				g.Go(func() error { return nil })
			}
			must(t, g.Wait())
			<-ctx.Done()
		},
		"x/sync/singleflight": func(*testing.T) { _, _, _ = flights.Do("a", func() (any, error) { return 1, nil }) },
		"x/time/rate":         func(t *testing.T) { must(t, rate.NewLimiter(1000, 1).Wait(t.Context())) },
		"yaml.v3": func(t *testing.T) {
			var v map[string]any
			must(t, yaml.Unmarshal([]byte("a: [1, {b: c}]"), &v))
		},
	}
}

// No check of a module that is in order finds a leak.
func TestModules(t *testing.T) {
	for name, round := range rounds(t) {
		t.Run(name, func(t *testing.T) { leaktest.Check(t, func() { round(t) }) })
	}
}
