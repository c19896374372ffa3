package fleet

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// onLoad returns the memory and the processor time of a container that serves more each day for a week. cores are the
// processor time of each of two, the first of which rests from the middle on.
func onLoad() (level, total []float64, cores [2][]float64) {
	r := rand.New(rand.NewPCG(1, 2))
	load := func(i int) float64 { return 1 + float64(max(i-288, 0))/float64(week.N-288) }
	level = values(func(i int) float64 { return 1e8 * (1 + load(i)) * (1 + .02*r.NormFloat64()) })
	sum := 0.
	total = values(func(i int) float64 {
		sum += 100 * load(i) * (1 + .05*r.NormFloat64())
		return sum
	})
	cores[0] = values(func(i int) float64 { return total[min(i, week.N/2)] })
	cores[1] = values(func(i int) float64 { return total[i] - cores[0][i] })
	return level, total, cores
}

// Memory of a container that grows with its processor time for days is no finding, however its cores are told apart.
func TestProcessorTimeOfContainers(t *testing.T) {
	level, total, cores := onLoad()
	const (
		pod     = "job=kubelet,instance=n:1,namespace=shop,pod=cart-1"
		cart    = pod + ",container=cart,id=/kubepods/cart,name=c1"
		compose = "job=cadvisor,instance=cadvisor:8080,id=/docker/a,name=shop-cart-1," +
			"container_label_com_docker_compose_project=shop,container_label_com_docker_compose_service=cart"
		memoryOf, cpuOf = "__name__=container_memory_working_set_bytes,", "__name__=container_cpu_usage_seconds_total,"
	)
	inShop := []string{"container_memory_working_set_bytes namespace=shop job=shop/cart version= 1/1 [ 1/1]"}
	ofCompose := []string{"container_memory_working_set_bytes job=shop/cart version= 1/1 [ 1/1]"}
	for _, test := range []struct {
		name   string
		series map[string][]float64
		want   []string
	}{
		{"of Kubernetes, not known", map[string][]float64{memoryOf + cart: level}, inShop},
		{"in total", map[string][]float64{memoryOf + cart: level, cpuOf + cart + ",cpu=total": total}, nil},
		{"without the label", map[string][]float64{memoryOf + cart: level, cpuOf + cart: total}, nil},
		{"by core", map[string][]float64{memoryOf + cart: level, cpuOf + cart + ",cpu=cpu00": cores[0],
			cpuOf + cart + ",cpu=cpu01": cores[1]}, nil},
		{"with labels that memory lacks", map[string][]float64{memoryOf + cart: level,
			cpuOf + cart + ",cpu=total,metrics_path=/metrics/cadvisor": total}, nil},
		{"of the pod and its network only", map[string][]float64{
			memoryOf + cart: level, cpuOf + pod + ",id=/kubepods,cpu=total": total,
			cpuOf + pod + ",container=POD,id=/kubepods/p,cpu=total": total,
		}, inShop},
		{"of another container of the pod", map[string][]float64{memoryOf + cart: level,
			cpuOf + pod + ",container=log,cpu=total": total}, inShop},
		{"of a container at a constant load", map[string][]float64{
			memoryOf + cart: level, cpuOf + cart + ",cpu=total": values(func(i int) float64 {
				return 100 * float64(i)
			}),
		}, inShop},
		{"of Compose, not known", map[string][]float64{memoryOf + compose: level}, ofCompose},
		{"of Compose, in total", map[string][]float64{memoryOf + compose: level, cpuOf + compose + ",cpu=total": total},
			nil},
		{"of Compose, by core", map[string][]float64{
			memoryOf + compose: level, cpuOf + compose + ",cpu=cpu00": cores[0],
			cpuOf + compose + ",cpu=cpu01": cores[1],
		}, nil},
		{"of Compose, of the host", map[string][]float64{memoryOf + compose: level,
			cpuOf + "job=cadvisor,instance=cadvisor:8080,id=/,cpu=total": total}, ofCompose},
		{"a pair of scrapers", map[string][]float64{
			memoryOf + cart + ",prometheus_replica=a": level, memoryOf + cart + ",prometheus_replica=b": level,
			cpuOf + cart + ",cpu=total,prometheus_replica=a": total,
			cpuOf + cart + ",cpu=total,prometheus_replica=b": total,
		}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := &memory{}
			for labels, v := range test.series {
				m.add(labels, v)
			}
			r, err := scanOf(t, m, nil)
			if err != nil || len(r.Missing) > 0 || r.Processes != 1 {
				t.Fatal(err, r.Missing, r.Processes)
			}
			if diff := cmp.Diff(test.want, brief(slices.Concat(r.Findings, r.Suspects))); diff != "" {
				t.Errorf("what grows (-want +got):\n%s", diff)
			}
		})
	}
}

// Where nothing else tells that a container began anew, its processor time does.
func TestContainerThatBeginsAnew(t *testing.T) {
	const cart = ",job=kubelet,instance=n:1,namespace=shop,pod=cart-1,container=cart"
	half := week.N / 2
	m := &memory{}
	m.add("__name__=container_memory_working_set_bytes"+cart, values(func(i int) float64 {
		return 1e8 + 1e5*float64(i%half) + float64(i*7919%5)
	}))
	for _, core := range []string{"cpu00", "cpu01"} {
		m.add("__name__=container_cpu_usage_seconds_total"+cart+",cpu="+core, values(func(i int) float64 {
			return 100 * float64(i%half)
		}))
	}
	r, err := scanOf(t, m, nil)
	if err != nil || len(r.Missing) > 0 || len(r.Findings)+len(r.Suspects) != 1 {
		t.Fatal(err, r.Missing, brief(r.Findings), brief(r.Suspects))
	}
	got := slices.Concat(r.Findings, r.Suspects)[0].Worst.began
	if want := week.At(half); !got.Equal(want) {
		t.Errorf("began at %v, want %v", got, want)
	}
}
