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
)

// liar is the memory of this process, of which it changes a part: what is read then is that of no process.
type liar struct {
	truth *memory
	dice  *rand.Rand
	share float64 // of the words that are others
	seen  []uint64
}

// gather lies with numbers that are dangerous, and with those that were true elsewhere.
func (l *liar) gather(parts []part) {
	l.truth.gather(parts)
	for i := range parts {
		to := parts[i].to
		if l.dice.Float64() < l.share/10 {
			parts[i].read = !parts[i].read
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
	truth, err := openMemory("/proc/self", os.Getpid())
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
		one, err := newTarget(l, exe, entry, runtime.Version())
		if err != nil {
			if !early {
				t.Fatal(err)
			}
			return
		}
		l.share = lies
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_ = one.verify()
		_, _ = one.count()
		var g groups
		seen, err := one.stacks(ctx, func(d *goroutine, pcs []uint64) bool {
			_ = one.reason(d)
			return g.add(one.table, pcs)
		})
		if errors.Is(err, context.DeadlineExceeded) {
			t.Fatal("it does not come to an end")
		}
		if len(g.all) > seen.Goroutines || seen.Running+seen.Torn > seen.Goroutines {
			t.Errorf("%d stacks of %+v", len(g.all), seen)
		}
		h := heap{target: one}
		_ = h.addBuckets(ctx)
		_ = h.allocations(func(stack []Frame, count, size float64) {
			if !(count > 0 && size > 0) || len(stack) > maxHeapPath {
				t.Errorf("%v objects of %v bytes on %d functions", count, size, len(stack))
			}
		})
		if m, ok := usageOf(one); ok && !(m.Live >= 0 && m.Live <= m.InUse && m.Free >= 0 && m.Stacks >= 0 &&
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
	o.heap.addBuckets(t.Context())
	of := make(map[uint64]bool)
	for _, b := range o.heap.buckets {
		of[b.at] = true
	}
	times := uint64(4)
	if raceEnabled {
		times = 1
	}
	for i := range times {
		lying := *o.target
		lying.reader = &liar{truth: o.memory, dice: rand.New(rand.NewPCG(i, 2)),
			share: float64(int(1)<<(4*i)) / (1 << 20)}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		start := time.Now()
		h, ok := findHolder(ctx, &lying, wanted{buckets: of, choose: choose}, nil)
		cancel()
		if ok && (h.Share <= .5 || h.Share > 1 || h.Objects > maxVotes || h.Variable != "" &&
			!strings.Contains(h.Variable, ".")) {
			t.Errorf("%+v", h)
		}
		if late := time.Since(start); late > time.Minute {
			t.Errorf("it goes on for %s", late)
		}
	}
}
