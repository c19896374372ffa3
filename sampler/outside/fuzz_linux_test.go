package outside

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/goruntime"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/heap"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/procmem"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/search"
)

// liar is the memory of this process, of which it changes a part: what is read then is that of no process.
type liar struct {
	truth *procmem.Memory
	dice  *rand.Rand
	share float64 // of the words that are others
	seen  []uint64
}

// Gather lies with numbers that are dangerous, and with those that were true elsewhere.
func (l *liar) Gather(parts []procmem.Part) {
	l.truth.Gather(parts)
	for i := range parts {
		to := parts[i].To
		if l.dice.Float64() < l.share/10 {
			parts[i].Read = !parts[i].Read
		}
		for at := 0; at+8 <= len(to); at += 8 {
			word := binary.LittleEndian.Uint64(to[at:])
			if l.dice.Float64() >= l.share {
				if word != 0 && len(l.seen) < 1<<10 {
					l.seen = append(l.seen, word)
				}
				continue
			}
			switch l.dice.IntN(6) {
			case 0:
				word = 0
			case 1:
				word = l.dice.Uint64()
			case 2:
				word = 1<<64 - 1 - uint64(l.dice.IntN(64))
			case 3:
				word += uint64(l.dice.IntN(64)) - 32
			case 4:
				word ^= 1 << l.dice.IntN(64)
			default:
				if len(l.seen) > 0 {
					word = l.seen[l.dice.IntN(len(l.seen))]
				}
			}
			binary.LittleEndian.PutUint64(to[at:], word)
		}
	}
}

// FuzzLies reads a memory that lies. It must come to an end with what is within bounds, whatever it says.
func FuzzLies(f *testing.F) {
	needsRow(f)
	for i := range uint64(20) {
		f.Add(i, uint16(1<<(i%16)), i%2 == 0)
	}
	truth, err := procmem.Open("/proc/self", os.Getpid())
	if err != nil {
		f.Skip(err)
	}
	exe, err := os.Open("/proc/self/exe")
	if err != nil {
		f.Fatal(err)
	}
	entry, err := entryOf("/proc/self")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, seed uint64, share uint16, early bool) {
		l := &liar{truth: truth, dice: rand.New(rand.NewPCG(seed, 1)), share: float64(share) / (1 << 17)}
		lies := l.share
		if !early { // only once the runtime was found
			l.share = 0
		}
		one, err := goruntime.New(l, exe, entry, runtime.Version())
		if err != nil {
			if !early {
				t.Fatal(err)
			}
			return
		}
		l.share = lies
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_ = one.Verify()
		_, _ = one.Count()
		var g groups
		seen, err := one.Stacks(ctx, func(d *goruntime.Goroutine, pcs []uint64) bool {
			_ = one.Reason(d)
			return g.add(one.Table, pcs)
		})
		if errors.Is(err, context.DeadlineExceeded) {
			t.Fatal("it does not come to an end")
		}
		if len(g.all) > seen.Goroutines || seen.Running+seen.Torn > seen.Goroutines {
			t.Errorf("%d stacks of %+v", len(g.all), seen)
		}
		h := heap.Profile{Target: one}
		_ = h.AddBuckets(ctx)
		_ = h.Allocations(func(stack []Frame, count, size float64) {
			if !(count > 0 && size > 0) || len(stack) > heap.MaxHeapPath {
				t.Errorf("%v objects of %v bytes on %d functions", count, size, len(stack))
			}
		})
		if m, ok := goruntime.MemoryOf(one); ok && !(m.Live >= 0 && m.Live <= m.InUse && m.Free >= 0 && m.Stacks >= 0 &&
			len(m.Arenas) > 0 && m.InUse+m.Own < 1<<48) {
			t.Errorf("memory %+v", m)
		}
		// What is told of the memory is what the program's file has.
		for _, s := range g.all {
			for _, f := range s.Frames {
				if f.Line < 0 || !strings.Contains(f.Function, ".") && f.Function != "" {
					t.Errorf("%+v is no function", f)
				}
			}
		}
	})
}

// The search for what holds memory, in one that lies, names what the program has, or nothing, and comes to an end. It
// is too slow for a fuzzer.
func TestHolderLies(t *testing.T) {
	if testing.Short() {
		t.Skip("builds another program")
	}
	needsRow(t)
	o := startHolders(t, []string{"testdata/holders"})
	o.heap.AddBuckets(t.Context())
	of := make(map[uint64]bool)
	for _, b := range o.heap.Buckets {
		of[b.At] = true
	}
	times := uint64(4)
	if raceEnabled {
		times = 1
	}
	for i := range times {
		lying := *o.target
		lying.Reader = &liar{truth: o.memory, dice: rand.New(rand.NewPCG(i, 2)),
			share: float64(int(1)<<(4*i)) / (1 << 20)}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		start := time.Now()
		h, ok := search.Find(ctx, &lying, search.Wanted{Buckets: of, Choose: choose}, nil)
		cancel()
		if ok && (h.Share <= .5 || h.Share > 1 || h.Objects > search.MaxVotes || h.Variable != "" &&
			!strings.Contains(h.Variable, ".")) {
			t.Errorf("%+v", h)
		}
		if late := time.Since(start); late > time.Minute {
			t.Errorf("it goes on for %s", late)
		}
	}
}
