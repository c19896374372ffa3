package fleet

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The layouts in which people have their fleets: what a leak is called, how many processes there are, and what is said
// where a service cannot be named.
func TestLayouts(t *testing.T) {
	leak, flat := growing(100, 100, 0), constant(100)
	heavy := growing(1e9, 5e8, 0)
	const memoryMetric = "__name__=container_memory_working_set_bytes,"
	for _, test := range []struct {
		name      string
		series    map[string][]float64
		groupBy   []string // nil = job and version
		want      []string
		processes int
		hints     []string
	}{
		{"docker compose", map[string][]float64{
			memoryMetric + "job=cadvisor,instance=cadvisor:8080,id=/docker/a,name=shop-api-1,image=shop/api:1.0," +
				"container_label_com_docker_compose_project=shop,container_label_com_docker_compose_service=api": heavy,
			memoryMetric + "job=cadvisor,instance=cadvisor:8080,id=/docker/b,name=shop-web-1,image=shop/web:1.0," +
				"container_label_com_docker_compose_project=shop,container_label_com_docker_compose_service=web": flat,
			memoryMetric + "job=cadvisor,instance=cadvisor:8080,id=/": heavy, // the host
		}, nil, []string{"container_memory_working_set_bytes job=shop/api version=1.0 1/1 [1.0 1/1]"}, 2, nil},
		{"a swarm, and containers by name", map[string][]float64{
			memoryMetric + "job=cadvisor,instance=n1:8080,name=api.1.abc," +
				"container_label_com_docker_swarm_service_name=shop_api": heavy,
			memoryMetric +
				"job=cadvisor,instance=n1:8080,name=cache-1": heavy,
			memoryMetric +
				"job=cadvisor,instance=n2:8080,name=cache-1": flat,
		}, []string{"job"}, []string{"container_memory_working_set_bytes job=cache 1/2",
			"container_memory_working_set_bytes job=shop_api 1/1"}, 3, nil},
		{"kubernetes-pods", map[string][]float64{
			"__name__=go_goroutines,job=kubernetes-pods,app=api,kubernetes_namespace=shop,kubernetes_pod_name=api-1," +
				"instance=10.0.0.1:80": leak,
			"__name__=go_goroutines,job=kubernetes-pods,app=web,kubernetes_namespace=shop,kubernetes_pod_name=web-1," +
				"instance=10.0.0.2:80": flat,
			"__name__=go_goroutines,job=kubernetes-pods,namespace=pay," +
				"pod=bill-7d9f8b6c5d-x2x8k,instance=10.0.0.3:80": leak,
			"__name__=go_goroutines,job=kubernetes-pods,namespace=pay," +
				"pod=bill-7d9f8b6c5d-zzzzz,instance=10.0.0.4:80": leak,
			"__name__=go_goroutines,job=kubernetes-pods,app_kubernetes_io_name=cron,namespace=pay," +
				"instance=10.0.0.5:80": flat,
		}, []string{"job"}, []string{"goroutines namespace=pay job=bill 2/2", "goroutines namespace=shop job=api 1/1"},
			5, nil},
		{"namespaces with a job of one name, in clusters", map[string][]float64{
			"__name__=go_goroutines,job=api,namespace=a,cluster=eu,instance=10.0.0.1:80":              leak,
			"__name__=go_goroutines,job=api,namespace=b,cluster=eu,instance=10.0.0.2:80":              flat,
			"__name__=go_goroutines,job=api,namespace=a,cluster=us,instance=10.0.0.1:80":              flat,
			"__name__=api_build_info,job=api,namespace=a,cluster=eu,instance=10.0.0.1:80,version=2":   constant(1),
			"__name__=api_build_info,job=api,namespace=a,cluster=us,instance=10.0.0.1:80,version=1":   constant(1),
			"__name__=process_start_time_seconds,job=api,namespace=a,cluster=eu,instance=10.0.0.1:80": constant(1e9),
			"__name__=container_memory_working_set_bytes,namespace=a," +
				"cluster=us,pod=api-1,container=api,job=kubelet": heavy,
			"__name__=container_memory_working_set_bytes,namespace=a," +
				"cluster=eu,pod=api-1,container=api,job=kubelet": flat,
			"__name__=container_memory_working_set_bytes,namespace=a," +
				"cluster=eu,pod=api-1,container=POD,job=kubelet": heavy,
			"__name__=container_memory_working_set_bytes,namespace=a," +
				"cluster=eu,pod=api-1,name=k8s_POD_1,job=kubelet2": heavy,
		}, nil, []string{
			"container_memory_working_set_bytes cluster=us namespace=a job=a/api version= 1/1 [ 1/1]",
			"goroutines cluster=eu namespace=a job=api version=2 1/1 [2 1/1]",
		}, 5, nil},
		{"OpenTelemetry's collector", map[string][]float64{
			"__name__=go_goroutines,job=otel-collector,instance=otel:8889," +
				"exported_job=shop/api,exported_instance=a": leak,
			"__name__=go_goroutines,job=otel-collector,instance=otel:8889," +
				"exported_job=shop/web,exported_instance=b": flat,
			"__name__=process_start_time_seconds,job=otel-collector,instance=otel:8889": values(func(i int) float64 {
				return float64(86400 * (i / 288)) // of the collector, which is deployed each day
			}),
			"__name__=go_goroutines,job=opentelemetry,instance=c,service_name=cart,service_namespace=shop": leak,
		}, []string{"job"}, []string{"goroutines job=shop/api 1/1", "goroutines namespace=shop job=cart 1/1"}, 3, nil},
		{"Consul and Nomad", map[string][]float64{
			"__name__=go_goroutines,job=consul-services,service=api,dc=fra," +
				"instance=10.0.0.1:80": leak,
			"__name__=go_goroutines,job=consul-services,service=web,dc=fra," +
				"instance=10.0.0.2:80": flat,
			"__name__=go_goroutines,job=nomad,exported_job=batch,task_group=g," +
				"task=t,instance=10.0.0.3:80": leak,
			"__name__=go_goroutines,job=nomad,nomad_service=pay," +
				"nomad_namespace=money,instance=10.0.0.4:80": leak,
			"__name__=go_goroutines,job=consul,instance=10.0.0.5:8500": flat,
			"__name__=go_goroutines,job=consul,instance=10.0.0.6:8500": flat,
			"__name__=process_start_time_seconds,job=consul-services," +
				"service=api,dc=fra,instance=10.0.0.1:80": constant(1e9),
			"__name__=process_start_time_seconds,job=consul-services," +
				"service=web,dc=fra,instance=10.0.0.2:80": constant(1e9),
			"__name__=process_start_time_seconds,job=consul-services," +
				"service=lost,dc=fra,instance=10.0.0.2:80": constant(1e9),
		}, []string{"job"}, []string{"goroutines cluster=fra job=api 1/1", "goroutines job=batch 1/1",
			"goroutines namespace=money job=pay 1/1"}, 6, nil},
		{"ECS, and machines of a cloud", map[string][]float64{
			memoryMetric + "job=cadvisor,instance=ip-1:8080,name=ecs-orders-12-web-d0c4b5f7e2a1c0a1ff01," +
				"container_label_com_amazonaws_ecs_cluster=prod," +
				"container_label_com_amazonaws_ecs_task_definition_family=orders," +
				"container_label_com_amazonaws_ecs_container_name=web": heavy,
			memoryMetric + "job=cadvisor,instance=ip-2:8080,name=ecs-orders-12-web-f0d4b5f7e2a1c0a9ff01," +
				"container_label_com_amazonaws_ecs_cluster=prod," +
				"container_label_com_amazonaws_ecs_task_definition_family=orders," +
				"container_label_com_amazonaws_ecs_container_name=web": flat,
			memoryMetric + "job=cadvisor,instance=ip-2:8080,name=ecs-cart-7-cart-aac4b5f7e2a1c0a9ff01," +
				"container_label_com_amazonaws_ecs_task_definition_family=cart," +
				"container_label_com_amazonaws_ecs_container_name=cart": heavy,
			"__name__=process_open_fds,job=ec2,service=pay,instance=10.1.0.1:9100":  leak,
			"__name__=process_open_fds,job=ec2,service=ship,instance=10.1.0.2:9100": flat,
		}, []string{"job"}, []string{
			"container_memory_working_set_bytes cluster=prod job=orders/web 1/2",
			"container_memory_working_set_bytes job=cart 1/1", "open_fds job=pay 1/1",
		}, 5, nil},
		{"the operator's monitors of pods and services", map[string][]float64{
			"__name__=go_goroutines,job=shop/api,namespace=shop,pod=api-7d9f8b6c5d-x2x8b,container=api,endpoint=http," +
				"instance=10.0.0.1:80": leak,
			"__name__=go_goroutines,job=shop/api,namespace=shop,pod=api-7d9f8b6c5d-x2x8c,container=api,endpoint=http," +
				"instance=10.0.0.2:80": flat,
			"__name__=go_goroutines,job=web,service=web,namespace=shop,pod=web-0,container=web,endpoint=http," +
				"instance=10.0.1.1:80": leak,
		}, []string{"job"}, []string{"goroutines namespace=shop job=shop/api 1/2",
			"goroutines namespace=shop job=web 1/1"}, 3, nil},
		{"federation", map[string][]float64{
			"__name__=go_goroutines,job=federate,instance=prom:9090,exported_job=api,exported_instance=a:80": leak,
			"__name__=go_goroutines,job=federate,instance=prom:9090,exported_job=web,exported_instance=b:80": flat,
			"__name__=api_build_info,job=federate,instance=prom:9090,exported_job=api,exported_instance=a:80," +
				"version=v1": constant(1),
			"__name__=web_build_info,job=federate,instance=prom:9090,exported_job=web,exported_instance=b:80," +
				"version=v2": constant(1),
		}, nil, []string{"goroutines job=api version=v1 1/1 [v1 1/1]"}, 2, nil},
		{"a pair of Prometheus without deduplication", map[string][]float64{
			"__name__=process_open_fds,job=api,instance=a:80," +
				"prometheus=monitoring/k8s,prometheus_replica=p-0": leak,
			"__name__=process_open_fds,job=api,instance=a:80," +
				"prometheus=monitoring/k8s,prometheus_replica=p-1": leak,
			"__name__=process_max_fds,job=api,instance=a:80," +
				"prometheus=monitoring/k8s,prometheus_replica=p-0": constant(2000),
			"__name__=process_max_fds,job=api,instance=a:80," +
				"prometheus=monitoring/k8s,prometheus_replica=p-1": constant(2000),
			"__name__=up,job=api,instance=a:80,prometheus=monitoring/k8s," +
				"prometheus_replica=p-0": values(
				func(i int) float64 {
					return float64(min(i%300, 1)) // does not reach the target each day
				}),
			"__name__=up,job=api,instance=a:80,prometheus=monitoring/k8s,prometheus_replica=p-1": constant(1),
			"__name__=go_goroutines,job=web,instance=b:80,replica=A":                             leak,
			"__name__=go_goroutines,job=web,instance=b:80,replica=B": values(func(i int) float64 {
				if i < 300 {
					return nan
				}
				return leak[i]
			}),
		}, []string{"job"}, []string{"goroutines job=web 1/1", "open_fds job=api 1/1"}, 2, nil},
		{"a job of many services that no label names", map[string][]float64{
			"__name__=go_goroutines,job=kubernetes-services,team=a,zone=x,instance=10.0.0.1:80": leak,
			"__name__=go_goroutines,job=kubernetes-services,team=a,zone=x,instance=10.0.0.2:80": leak,
			"__name__=go_goroutines,job=kubernetes-services,team=b,zone=x,instance=10.0.0.3:80": leak,
		}, nil, []string{"goroutines job=kubernetes-services version= 3/3 [ 3/3]"}, 3, []string{
			`job "kubernetes-services" holds 3 processes, and no label that is known tells their services apart: ` +
				`--group-by team,version would`,
		}},
		{"the same, with the flag", map[string][]float64{
			"__name__=go_goroutines,job=kubernetes-services,team=a,instance=10.0.0.1:80": leak,
			"__name__=go_goroutines,job=kubernetes-services,team=b,instance=10.0.0.3:80": flat,
		}, []string{"team"}, []string{"goroutines team=a 1/1"}, 2, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := &memory{}
			for labels, v := range test.series {
				m.add(labels, slices.Clone(v))
			}
			r, err := scanOf(t, m, func(o *Options) {
				if test.groupBy != nil {
					o.GroupBy = test.groupBy
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			got := brief(append(r.Findings, r.Suspects...))
			slices.Sort(got)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.hints, r.Hints); diff != "" {
				t.Errorf("hints (-want +got):\n%s", diff)
			}
			if r.Processes != test.processes || len(r.Missing) > 0 {
				t.Errorf("%d processes, want %d; missing %v", r.Processes, test.processes, r.Missing)
			}
		})
	}
}

// What cAdvisor tells of no container that has a name, as --match may select it, is named by its control group.
func TestControlGroups(t *testing.T) {
	m := &memory{}
	for _, id := range []string{"/system.slice/billing.service", "/system.slice/ssh.service", "/system.slice", "/"} {
		level := constant(1e9)
		if id == "/system.slice/billing.service" {
			level = growing(1e9, 5e8, 0)
		}
		for _, host := range []string{"a", "b"} {
			m.add("__name__=container_memory_working_set_bytes,job=cadvisor,instance="+host+":8080,id="+id, level)
		}
	}
	r, err := scanOf(t, m, func(o *Options) { o.Matches = []string{"container_memory_working_set_bytes"} })
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"container_memory_working_set_bytes job=billing.service version= 2/2 [ 2/2]"}
	if diff := cmp.Diff(want, brief(append(r.Findings, r.Suspects...))); diff != "" || r.Hypotheses != 4 {
		t.Errorf("%d resources of groups; findings (-want +got):\n%s", r.Hypotheses, diff)
	}
}

// What made a pod, by the names that controllers give.
func TestPodOwner(t *testing.T) {
	got := map[string]string{}
	for _, pod := range []string{"api-7d9f8b6c5d-x2x8k", "db-0", "agent-x2x8k", "backup-28471234-abcde", "single", ""} {
		got[pod] = podOwner(pod)
	}
	want := map[string]string{"api-7d9f8b6c5d-x2x8k": "api", "db-0": "db", "agent-x2x8k": "agent",
		"backup-28471234-abcde": "backup", "single": "single", "": ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The labels of a finding are those by which routes find their receivers.
func TestGroupLabels(t *testing.T) {
	m := &memory{}
	m.add("__name__=go_goroutines,job=api,namespace=shop,cluster=eu,instance=a:80,version=v1", growing(100, 100, 0))
	r, err := scanOf(t, m, nil)
	if err != nil || len(r.Findings) != 1 {
		t.Fatal(fmt.Sprint(brief(r.Findings)), err)
	}
	want := map[string]string{"cluster": "eu", "namespace": "shop", "job": "api", "version": "v1"}
	if diff := cmp.Diff(want, r.Findings[0].GroupLabels()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
