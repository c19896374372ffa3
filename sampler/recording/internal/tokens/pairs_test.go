package tokens

import "testing"

// What of a text is taken for a number that was not read.
func TestAmountsInText(t *testing.T) {
	for text, want := range map[string]string{
		"188480 KB (+12 KB)": "188480", "12 of 40": "12", "563.64M iB": "563.64M", "mem rss=12 fds=3": "rss=12",
		"Heap used: 12 MB": "used: 12 MB", "~12 MB or so": "~12", "heap is 90 MB of 1024 MB": "90 MB",
		"got 12 bytes":  "12 bytes",
		"java -Xmx512m": "", "1.1.0": "", "3f9a1c2d": "", "10.0.0.1": "", "2 Mar 2026": "", "2026-03-02 00:00:00": "",
		"idle": "", "": "", "nginx: worker process": "",
	} {
		if got := Amount(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
