package outside

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/goruntime"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/procmem"
)

// evaluationVar names the toolchains of TestEvaluation, as in "go1.21.13 go1.27.3"; with _BUILD a regular expression
// for the ways to build, where these are not all.
const evaluationVar = "LEAKTREND_OUTSIDE"

// toolchains returns those that are named; nil for none.
func toolchains() []string { return strings.Fields(os.Getenv(evaluationVar)) }

// byToolchains returns options of startHolders: some for the toolchain at hand, and for each one that is named the
// ways, or where there are none the same ones, with the toolchain as their last.
func byToolchains(builds [][]string, ways ...[]string) [][]string {
	if len(ways) == 0 {
		ways = builds
	}
	for _, toolchain := range toolchains() {
		for _, way := range ways {
			builds = append(builds, append(slices.Clone(way), "GOTOOLCHAIN="+toolchain))
		}
	}
	return builds
}

// toolchainOf returns the toolchain of such options, if that is named.
func toolchainOf(options []string) string {
	return strings.TrimPrefix(options[len(options)-1], "GOTOOLCHAIN=")
}

// way is one in which the program is built: options of buildProgram, in which RELEASE is that of Go.
type way struct {
	name     string
	options  []string
	from, to int // the minor releases of Go that know it; 0 for all
}

var builds = []way{
	{name: "plain"},
	{name: "stripped", options: []string{stripped}},
	{name: "PIE, stripped", options: []string{pie, stripped}},
	{name: "cgo", options: []string{"cgo"}},
	{name: "cgo, PIE, stripped", options: []string{"cgo", pie, stripped}},
	{name: "GOAMD64=v3, stripped", options: []string{"GOAMD64=v3", stripped}},
	{name: "race, stripped", options: []string{"cgo", "-race", stripped}},
	{name: "not optimized, stripped", options: []string{"-gcflags=all=-N -l", stripped}},
	{name: "arm64, stripped, under qemu-user", options: []string{"GOARCH=arm64", stripped}},
	{name: "-trimpath, stripped", options: []string{"-trimpath", stripped}},
	{name: "-cover, stripped", options: []string{"-cover", stripped}},
	{name: "-d=checkptr, stripped", options: []string{"-gcflags=all=-d=checkptr", stripped}},
	{name: "-asan, stripped", options: []string{"cgo", "-asan", stripped}},
	{name: "-linkmode=external, stripped", options: []string{"cgo", stripped + " -linkmode=external"}},
	{name: "static, by the C linker, stripped",
		options: []string{"cgo", stripped + " -linkmode=external -extldflags=-static"}},
	{name: "static PIE, stripped",
		options: []string{"cgo", pie, stripped + " -linkmode=external -extldflags=-static-pie"}},
	{name: "strip --strip-all", options: []string{"strip"}},
	{name: "without section headers", options: []string{"nosections", stripped}},
	{name: "GOFIPS140=latest, stripped", options: []string{"GOFIPS140=latest", stripped}, from: 24},
	{name: "GOEXPERIMENT=boringcrypto, stripped", options: []string{"cgo", "GOEXPERIMENT=boringcrypto", stripped}},
	{name: "GOEXPERIMENT=arenas, stripped", options: []string{"GOEXPERIMENT=arenas", stripped}},
	{name: "GOEXPERIMENT=noswissmap, stripped", options: []string{"GOEXPERIMENT=noswissmap", stripped},
		from: 24, to: 25},
	{name: "GOEXPERIMENT=greenteagc, stripped", options: []string{"GOEXPERIMENT=greenteagc", stripped},
		from: 25, to: 25},
	{name: "GOEXPERIMENT=nogreenteagc, stripped", options: []string{"GOEXPERIMENT=nogreenteagc", stripped}, from: 26},
	{name: "GOEXPERIMENT=nodwarf5", options: []string{"GOEXPERIMENT=nodwarf5"}, from: 25},
	{name: "GOEXPERIMENT=norandomizedheapbase64, stripped", options: []string{"GOEXPERIMENT=norandomizedheapbase64",
		stripped}, from: 26},
	{name: "GOEXPERIMENT=nosizespecializedmalloc, stripped", options: []string{"GOEXPERIMENT=nosizespecializedmalloc",
		stripped}, from: 26},
	{name: "GOEXPERIMENT=goroutineleakprofile, stripped", options: []string{"GOEXPERIMENT=goroutineleakprofile",
		stripped}, from: 26, to: 26},
	{name: "GOEXPERIMENT=runtimesecret, stripped", options: []string{"GOEXPERIMENT=runtimesecret", stripped}, from: 26},
	{name: "version RELEASE-vendor, stripped",
		options: []string{stripped + " -X 'runtime.buildVersion=RELEASE-vendor'"}},
	{name: "version RELEASE-vendor", options: []string{"-ldflags=-X 'runtime.buildVersion=RELEASE-vendor'"}},
	{name: "version devel go1.99, stripped",
		options: []string{stripped + " -X 'runtime.buildVersion=devel go1.99-0123456789'"}},
	{name: "version devel go1.99", options: []string{"-ldflags=-X 'runtime.buildVersion=devel go1.99-0123456789'"}},
}

const pie = "-buildmode=pie"

// of reports whether a toolchain knows a way to build, as in "go1.27.3".
func (b *way) of(toolchain string) bool {
	var minor int
	_, err := fmt.Sscanf(toolchain, "go1.%d", &minor)
	return err == nil && minor >= b.from && (b.to == 0 || minor <= b.to)
}

// TestEvaluation prints, for programs that each toolchain has built in each way, how many goroutines and how much of
// the live heap are named as their own runtime does. None may be named wrong.
func TestEvaluation(t *testing.T) {
	all := toolchains()
	if len(all) == 0 {
		t.Skip(evaluationVar + " names no toolchains")
	}
	only, err := regexp.Compile(os.Getenv(evaluationVar + "_BUILD"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("| Go | build | goroutines: right | wrong | unknown | heap stacks: right | wrong | unknown |\n" +
		"|---|---|---|---|---|---|---|---|")
	for _, toolchain := range all {
		for _, b := range builds {
			if !b.of(toolchain) || !only.MatchString(b.name) {
				continue
			}
			options := []string{"GOTOOLCHAIN=" + toolchain}
			for _, o := range b.options {
				options = append(options, strings.ReplaceAll(o, "RELEASE", toolchain))
			}
			path := buildProgram(t, options...)
			command := []string{path}
			emulated := strings.HasPrefix(b.name, "arm64")
			if emulated {
				if _, err := exec.LookPath("qemu-aarch64"); err != nil {
					continue
				}
				command = []string{"qemu-aarch64", path}
			}
			p := start(t, command...)
			p.report(t, "keep 2000")
			want := p.report(t, "leak 300")
			var process *Process
			if emulated {
				process = openEmulated(t, p.pid, path, toolchain)
			} else {
				var err error
				if process, err = Open(p.pid); err != nil {
					fmt.Printf("| %s | %s | 0 | 0 | %d | 0 | 0 | %d |\n", toolchain, b.name, want.Number,
						len(want.Heap))
					t.Logf("%s, %s: %v", toolchain, b.name, err)
					p.stop()
					continue
				}
			}
			goroutines, err := process.Goroutines(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			heap, err := process.Heap(t.Context())
			if errors.Is(err, ErrNoHeapProfile) {
				heap = &Profile{}
			} else if err != nil {
				t.Fatal(err)
			}
			g := compareCounts(withoutMain(want.Goroutines), withoutMain(countsOf(goroutines)))
			inside, outside := make(counts), make(counts)
			for key := range want.Heap {
				inside[key] = [2]int64{1}
			}
			for key, c := range countsOf(heap) {
				if outside[key] = [2]int64{1}; want.Heap[key] != c {
					outside[key+fmt.Sprint(c)] = [2]int64{1}
				}
			}
			h := compareCounts(inside, outside)
			fmt.Printf("| %s | %s | %d | %d | %d | %d | %d | %d |\n", toolchain, b.name, g[0], g[1], g[2], h[0], h[1],
				h[2])
			if g[1]+h[1] > 0 {
				t.Errorf("%s, %s: wrong: %v", toolchain, b.name,
					wrongOf(withoutMain(want.Goroutines), withoutMain(countsOf(goroutines))))
			}
			if n, ok := process.target.Count(); !ok || n != want.Number {
				t.Errorf("%s, %s: %d goroutines are counted, there are %d", toolchain, b.name, n, want.Number)
			}
			if live, ok := process.target.Marked(); ok && live != want.Live {
				t.Errorf("%s, %s: %d bytes are live, %d are read", toolchain, b.name, want.Live, live)
			}
			checkMemory(t, process, want)
			_ = process.Close()
			p.stop()
		}
	}
}

// compareCounts returns how much of what is inside is right, how much is seen that is not there, and how much is not
// seen.
func compareCounts(inside, outside counts) (result [3]int64) {
	for key, c := range inside {
		result[0] += min(c[0], outside[key][0])
		result[2] += max(0, c[0]-outside[key][0])
	}
	for key, c := range outside {
		result[1] += max(0, c[0]-inside[key][0])
	}
	return result
}

func wrongOf(inside, outside counts) (keys []string) {
	for key, c := range outside {
		if c[0] > inside[key][0] {
			keys = append(keys, fmt.Sprintf("%d, not %d:\n%s", c[0], inside[key][0], key))
		}
	}
	return keys
}

// openEmulated opens a program that an emulator of the user's mode runs, which has it at its own addresses.
func openEmulated(t *testing.T, pid int, path, version string) *Process {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	headers, err := elf.NewFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p := &Process{pid: pid, exe: file, version: version}
	if p.memory, err = procmem.Open(fmt.Sprintf("/proc/%d", pid), pid); err != nil {
		t.Fatal(err)
	}
	if p.target, err = goruntime.New(p.memory, file, headers.Entry, version); err != nil {
		t.Fatal(err)
	}
	p.heap.Target = p.target
	return p
}

// costsVar asks for TestCosts.
const costsVar = "LEAKTREND_OUTSIDE_COSTS"

// TestCosts prints what reading takes, and for how long a goroutine of the target stands still meanwhile, beside the
// same time without reading.
func TestCosts(t *testing.T) {
	if os.Getenv(costsVar) == "" {
		t.Skip(costsVar + " is not set")
	}
	needsRow(t)
	path := buildProgram(t, stripped)
	fmt.Println("| goroutines | count | its processor time | stacks | their processor time | heap | longest stall, " +
		"99.9 % of stalls below, while read back to back | the same without |\n|---|---|---|---|---|---|---|---|")
	for _, n := range []int{1_000, 10_000, 100_000} {
		p := start(t, path)
		p.report(t, fmt.Sprintf("many %d", n))
		o := openProcess(t, p.pid)
		var counted, stacks []time.Duration
		var countCPU, stackCPU, heapCPU time.Duration
		const times = 10
		for range times {
			start := time.Now()
			countCPU += threadTime(func() { o.target.Count() })
			counted = append(counted, time.Since(start))
			start = time.Now()
			profile, err := o.Goroutines(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			stacks = append(stacks, time.Since(start))
			stackCPU += profile.CPU
			heap, err := o.Heap(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			heapCPU = heap.CPU
		}
		quiet := p.stalls(t)
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan int)
		go func() {
			reads := 0
			for ctx.Err() == nil {
				if _, err := o.Goroutines(ctx); err == nil {
					reads++
				}
			}
			ended <- reads
		}()
		read := p.stalls(t)
		stop()
		reads := <-ended
		fmt.Printf("| %d | %v | %v | %v | %v | %v | %v, %v (%d reads) | %v, %v |\n", n, median(counted), countCPU/times,
			median(stacks), stackCPU/times, heapCPU,
			read[0], read[1], reads, quiet[0], quiet[1])
		p.stop()
	}
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}
