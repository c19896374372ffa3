package fleet

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
)

// The labels by which people say where something runs, by preference. What is exported stands for the process where its
// scraper has a label of the same name.
var (
	clusterLabels = []string{"cluster", "k8s_cluster_name", "cluster_name", "kubernetes_cluster", "datacenter", "dc",
		"container_label_com_amazonaws_ecs_cluster"}
	namespaceLabels = []string{
		"exported_namespace", "namespace", "kubernetes_namespace", "k8s_namespace_name", "service_namespace",
		"nomad_namespace",
	}
	podLabels = []string{"exported_pod", "pod", "kubernetes_pod_name", "k8s_pod_name", "pod_name"}
)

// serviceLabels tell the service of a process whose job is that of a whole discovery, by preference.
var serviceLabels = []string{
	"service_name", "app_kubernetes_io_name", "app", "k8s_app", "consul_service", "nomad_service", "service",
	"kubernetes_name",
	"nomad_job", "task_group", "deployment", "workload", "container",
}

// The labels of Docker Compose and of a swarm, as cAdvisor exports them, or as discovery does.
var (
	composeProjects = []string{"container_label_com_docker_compose_project", "com_docker_compose_project",
		"compose_project"}
	composeServices = []string{"container_label_com_docker_compose_service", "com_docker_compose_service",
		"compose_service"}
	swarmServices = []string{"container_label_com_docker_swarm_service_name", "com_docker_swarm_service_name"}
)

// The labels that Amazon's ECS gives to containers: the name of a container has an identifier of the task.
const (
	ecsFamily    = "container_label_com_amazonaws_ecs_task_definition_family"
	ecsContainer = "container_label_com_amazonaws_ecs_container_name"
)

// replicaLabels tell the scrapers of one target apart, where a pair of them is read without deduplication.
var replicaLabels = []model.LabelName{
	"prometheus_replica", "__replica__", "receive_replica", "thanos_replica", "ha_replica", "rule_replica",
	"thanos_ruler_replica",
}

// replicaLabel does so too, for what a target has but once; a gauge of the application may mean its own replicas.
const replicaLabel = "replica"

// discovered matches the jobs that stand for a whole discovery, of many services: the job of one of its processes says
// nothing. Of manyServices that is sure; those of the other names may be one service too.
var (
	discovered = regexp.MustCompile(`^(?:(?:kubernetes|k8s|kube)[-_/` +
		`])?(?:pods?|endpoints?|services?|service-endpoints)$|` +
		`^(?:consul|nomad|docker|dockerswarm|ecs|ec2|gce|file[-_]sd|http[-_]sd|dns[-_]sd|otel|otelcol|opentelemetry|` +
		`federat(?:e|ion)|pushgateway|integrations)(?:[-_/].*)?$`)
	manyServices = regexp.MustCompile(`^(?:(?:kubernetes|k8s|kube)[-_/` +
		`])?(?:pods?|endpoints?|services?|service-endpoints)$|` +
		`^(?:consul|nomad|docker|dockerswarm|ecs|ec2|gce)[-_/` +
		`](?:services?|sd|catalog|containers?|tasks?|allocs?|allocations?)$|^federat(?:e|ion)(?:[-_/].*)?$`)
)

// The names that controllers give to pods: of a deployment, of a cron job, of a daemon set or a job, of a stateful set.
var podNames = []*regexp.Regexp{
	regexp.MustCompile(`^(.+)-[bcdfghjklmnpqrstvwxz2456789]{6,10}-[bcdfghjklmnpqrstvwxz2456789]{5}$`),
	regexp.MustCompile(`^(.+)-\d{8,10}-[a-z0-9]{5}$`),
	regexp.MustCompile(`^(.+)-[bcdfghjklmnpqrstvwxz2456789]{5}$`),
	regexp.MustCompile(`^(.+)-\d+$`),
}

// numbered matches the name that compose gives to a container.
var numbered = regexp.MustCompile(`^(.+)[-_]\d+$`)

// first returns the first of some labels that has a value.
func first(labels map[string]string, names []string) string {
	for _, name := range names {
		if v := labels[name]; v != "" {
			return v
		}
	}
	return ""
}

// serviceOf returns what a process is one of: its job, or what stands for it where that says nothing of what runs.
// known is false where only that is there.
func serviceOf(p *process) (name string, known bool) {
	l := p.labels
	switch {
	case p.docker:
		return cmp.Or(composeOf(l), first(l, swarmServices), ecsOf(l), withoutNumber(l["name"])), true
	case p.container && l["container"] == "" && l["id"] != "": // a unit of systemd, or what holds others
		return path.Base(l["id"]), true
	case p.container:
		return l["namespace"] + "/" + l["container"], true
	}
	job := cmp.Or(l["exported_job"], l[jobLabel])
	if job != "" && !discovered.MatchString(job) {
		return job, true
	}
	if name = cmp.Or(composeOf(l), first(l, swarmServices), first(l, serviceLabels),
		podOwner(first(l, podLabels))); name != "" {
		return name, true
	}
	return job, !manyServices.MatchString(job)
}

// composeOf returns the project and the service of Docker Compose; "" = none.
func composeOf(l map[string]string) string {
	service := first(l, composeServices)
	if project := first(l, composeProjects); project != "" && service != "" {
		return project + "/" + service
	}
	return service
}

// ecsOf returns the family of a task of ECS and, if that is another name, its container; "" = none.
func ecsOf(l map[string]string) string {
	family, container := l[ecsFamily], l[ecsContainer]
	if family != "" && container != "" && container != family {
		return family + "/" + container
	}
	return cmp.Or(family, container)
}

func withoutNumber(name string) string {
	if m := numbered.FindStringSubmatch(name); m != nil {
		return m[1]
	}
	return name
}

// podOwner returns the name of what made a pod, by that of the pod.
func podOwner(pod string) string {
	for _, form := range podNames {
		if m := form.FindStringSubmatch(pod); m != nil {
			return m[1]
		}
	}
	return pod
}

// groupOf returns the name and the labels of the group of a process. With its job comes where that runs.
func groupOf(groupBy []string, p *process, version string) (name string, values []Label) {
	add := func(label, value string) {
		values = append(values, Label{label, value})
		name += label + "\x00" + value + "\x00"
	}
	for _, label := range groupBy {
		switch label {
		case versionLabel:
			add(label, version)
		case jobLabel:
			if v := first(p.labels, clusterLabels); v != "" && !slices.Contains(groupBy, clusterLabel) {
				add(clusterLabel, v)
			}
			if v := first(p.labels, namespaceLabels); v != "" && !slices.Contains(groupBy, namespaceLabel) {
				add(namespaceLabel, v)
			}
			service, _ := serviceOf(p)
			add(label, service)
		default:
			add(label, p.labels[label])
		}
	}
	return name, values
}

// unnamed gathers the processes of a job whose services cannot be told apart, to say which label may do.
type unnamed struct {
	processes int
	values    map[string]map[string]bool // by label
}

// unnamedJobs are such jobs by name.
type unnamedJobs map[string]*unnamed

// maxUnnamed bounds the values that are kept of a label.
const maxUnnamed = 1000

// note notes a process whose job stands for many services, where no other labels are grouped by.
func (jobs unnamedJobs) note(p *process, groupBy []string) {
	service, known := serviceOf(p)
	ofAsked := func(label string) bool { return label != jobLabel && label != versionLabel }
	if known || slices.ContainsFunc(groupBy, ofAsked) {
		return
	}
	u := jobs[service]
	if u == nil {
		u = &unnamed{values: map[string]map[string]bool{}}
		jobs[service] = u
	}
	u.processes++
	for name, value := range p.labels {
		if u.values[name] == nil {
			u.values[name] = map[string]bool{}
		}
		if len(u.values[name]) < maxUnnamed {
			u.values[name][strings.Clone(value)] = true
		}
	}
}

// hints say which flag helps where processes of many services have one job.
func (jobs unnamedJobs) hints() (all []string) {
	for _, job := range slices.Sorted(maps.Keys(jobs)) {
		u := jobs[job]
		if u.processes < 2 {
			continue
		}
		// A label that tells services apart has some values, but not one for each process.
		var some []string
		for _, name := range slices.Sorted(maps.Keys(u.values)) {
			if n := len(u.values[name]); n > 1 && n < u.processes {
				some = append(some, name)
			}
		}
		label := "instance"
		if len(some) > 0 {
			label = some[0]
		}
		text := fmt.Sprintf("job %q holds %d processes, and no label that is known tells their services apart: "+
			"--group-by %s,version would", job, u.processes, label)
		if len(some) > 1 {
			text += ", or " + strings.Join(some[1:], ", ")
		}
		all = append(all, text)
	}
	return all
}

// versionLabels are labels that hold the version of what runs, by preference.
var versionLabels = []string{"version", "app_version", "app_kubernetes_io_version", "label_version", "image_tag",
	"revision"}

// versionOf returns the version that the labels of a series tell, "" if they tell none.
func versionOf(labels map[string]string) string {
	for _, name := range versionLabels {
		if v := labels[name]; v != "" {
			return v
		}
	}
	// The tag of an image, which may stand after a registry with a port and before a digest.
	image, digest, _ := strings.Cut(labels["image"], "@")
	if i := strings.LastIndexByte(image, ':'); i > strings.LastIndexByte(image, '/') {
		return image[i+1:]
	}
	_, hash, _ := strings.Cut(digest, ":")
	return hash[:min(len(hash), 12)]
}

// workloadOf returns the labels of a group without its version.
func workloadOf(group []Label) []Label {
	return slices.DeleteFunc(slices.Clone(group), func(l Label) bool { return l.Name == versionLabel })
}

// Labels that a group may have beside those of the series.
const (
	versionLabel   = "version"
	jobLabel       = "job"
	namespaceLabel = "namespace"
	clusterLabel   = "cluster"
)
