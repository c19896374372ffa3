package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const manifests = "../../../../../../../docs/install/kubernetes"

func TestManifests(t *testing.T) {
	files, err := filepath.Glob(manifests + "/*.yaml")
	if err != nil || len(files) != 3 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, path := range files {
		if err := checkFile(path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// What the API server refuses is refused here.
func TestFaults(t *testing.T) {
	for _, test := range []struct{ file, old, new, says string }{
		{"sidecar.yaml", "shareProcessNamespace: true", "sharedProcessNamespace: true",
			`unknown field "sharedProcessNamespace"`},
		{"sidecar.yaml", "replicas: 2", "replicas: two", "cannot unmarshal string"},
		{"sidecar.yaml", "matchLabels:\n      app.kubernetes.io/name: api", "matchLabels:\n      app: api",
			"does not select the labels"},
		{"sidecar.yaml", "- name: config\n              mountPath", "- name: other\n              mountPath",
			"mounts other"},
		{"sidecar.yaml", "cpu: 10m", "cpu: ten", "quantities must match"},
		{"sidecar.yaml", "memory: 32Mi", "memory: 1Gi", "requests more memory"},
		{"daemonset.yaml", "hostPID: true", "hostPID: true\n      shareProcessNamespace: true", "exclude each other"},
		{"scan.yaml", "restartPolicy: Never", "restartPolicy: Always", "restartPolicy Always"},
		{"scan.yaml", "apiVersion: batch/v1\n", "apiVersion: batch/v2\n", "batch/v2 CronJob"},
	} {
		text, err := os.ReadFile(filepath.Join(manifests, test.file))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), test.old) {
			t.Errorf("%s has no %q", test.file, test.old)
			continue
		}
		path := filepath.Join(t.TempDir(), test.file)
		if err := os.WriteFile(path, []byte(strings.Replace(string(text), test.old, test.new, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := checkFile(path); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s with %q: %v, want %q", test.file, test.new, err, test.says)
		}
	}
}
