// Command kubernetes checks manifests against the types of the Kubernetes API: every field is known and of its type,
// and what belongs together goes together. It is a module of its own, so that leaktrend does not depend on the API.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: kubernetes FILE...")
		os.Exit(2)
	}
	failed := false
	for _, path := range os.Args[1:] {
		if err := checkFile(path); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", path, err)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}

func checkFile(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var faults []error
	for _, document := range bytes.Split(text, []byte("\n---\n")) {
		if err := check(document); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// check decodes one object strictly and checks the pods that it makes.
func check(document []byte) error {
	var kind metav1.TypeMeta
	if err := yaml.Unmarshal(document, &kind); err != nil {
		return err
	}
	var object any
	var pod func() error
	switch kind {
	case metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}:
		object = new(corev1.Namespace)
	case metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}:
		object = new(corev1.ConfigMap)
	case metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}:
		object = new(corev1.Secret)
	case metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"}:
		d := new(appsv1.Deployment)
		object, pod = d, func() error { return checkPod(&d.Spec.Template, d.Spec.Selector, corev1.RestartPolicyAlways) }
	case metav1.TypeMeta{APIVersion: "apps/v1", Kind: "DaemonSet"}:
		d := new(appsv1.DaemonSet)
		object, pod = d, func() error { return checkPod(&d.Spec.Template, d.Spec.Selector, corev1.RestartPolicyAlways) }
	case metav1.TypeMeta{APIVersion: "batch/v1", Kind: "CronJob"}:
		c := new(batchv1.CronJob)
		object, pod = c, func() error {
			return checkPod(&c.Spec.JobTemplate.Spec.Template, nil, corev1.RestartPolicyNever,
				corev1.RestartPolicyOnFailure)
		}
	default:
		return fmt.Errorf("%s %s: not a kind that is checked", kind.APIVersion, kind.Kind)
	}
	err := yaml.UnmarshalStrict(document, object)
	if err == nil && pod != nil {
		err = pod()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", kind.Kind, err)
	}
	return nil
}

// checkPod checks what the API server would refuse that types alone do not show.
func checkPod(pod *corev1.PodTemplateSpec, selector *metav1.LabelSelector, restart ...corev1.RestartPolicy) error {
	if selector != nil {
		selects, err := metav1.LabelSelectorAsSelector(selector)
		if err != nil {
			return err
		}
		if selects.Empty() || !selects.Matches(labels.Set(pod.Labels)) {
			return fmt.Errorf("the selector %s does not select the labels %v of the pod", selects, pod.Labels)
		}
	}
	policy := pod.Spec.RestartPolicy
	if policy == "" {
		policy = corev1.RestartPolicyAlways
	}
	if !slices.Contains(restart, policy) {
		return fmt.Errorf("restartPolicy %s: must be one of %v", policy, restart)
	}
	if pod.Spec.HostPID && pod.Spec.ShareProcessNamespace != nil && *pod.Spec.ShareProcessNamespace {
		return errors.New("hostPID and shareProcessNamespace exclude each other")
	}
	volumes := map[string]bool{}
	for _, v := range pod.Spec.Volumes {
		volumes[v.Name] = true
	}
	if len(pod.Spec.Containers) == 0 {
		return errors.New("the pod has no containers")
	}
	for _, c := range pod.Spec.Containers {
		if c.Name == "" || c.Image == "" {
			return fmt.Errorf("container %q has no name or no image", c.Name)
		}
		for _, m := range c.VolumeMounts {
			if !volumes[m.Name] {
				return fmt.Errorf("container %s mounts %s, which is no volume of the pod", c.Name, m.Name)
			}
		}
		for name, request := range c.Resources.Requests {
			if limit, ok := c.Resources.Limits[name]; ok && request.Cmp(limit) > 0 {
				return fmt.Errorf("container %s requests more %s than its limit", c.Name, name)
			}
		}
	}
	return nil
}
