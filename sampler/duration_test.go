package sampler

import (
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "-0": 0, "0s": 0, "30s": 30 * time.Second, "+5m": 5 * time.Minute, "1h30m": 90 * time.Minute,
		"1.5h":  90 * time.Minute,
		"100ms": 100 * time.Millisecond, "2us": 2 * time.Microsecond, "2µs": 2 * time.Microsecond, "7ns": 7,
		"7d": 7 * day, "1d12h": 36 * time.Hour, "1.5d": 36 * time.Hour, ".5d": 12 * time.Hour, "2w": 14 * day,
		"1w2d3h4m5s": 9*day + 3*time.Hour + 4*time.Minute + 5*time.Second,
		"-1d":        -day, "-1d12h": -36 * time.Hour, "36h1d": 60 * time.Hour, "15250w": 15250 * 7 * day, "0d": 0,
		"1y": 365 * day, "1y2w": 379 * day, ".5y": 4380 * time.Hour,
	} {
		if got, err := ParseDuration(text); got != want || err != nil {
			t.Errorf("ParseDuration(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "-", "+", "5", "1.5", "d", "w", "h", "1x", "1d5", "5 m", " 5m", "5m ", "1,5h", "--1d", "1d-2h", "y", "1Y",
		"1M", "1D", "1dd", "1..5d", ".d", "1e3s", "NaNd", "inf", "0x1d", "week", "0h0",
	} {
		if got, err := ParseDuration(text); got != 0 || err != errDuration {
			t.Errorf("ParseDuration(%q) = %v, %v, want %q", text, got, err, errDuration)
		}
	}
	for _, text := range []string{"9999999h", "106752d", "15251w", "15250w15250w", "293y", "1e400d",
		"99999999999999999999d", "99999999999999999999s"} {
		want := errLongDuration
		if text == "1e400d" {
			want = errDuration
		}
		if got, err := ParseDuration(text); got != 0 || err != want {
			t.Errorf("ParseDuration(%q) = %v, %v, want %q", text, got, err, want)
		}
	}
}

// What Go reads it reads alike, and what it reads of days and weeks is what Go reads of hours.
func FuzzParseDuration(f *testing.F) {
	for _, seed := range []string{"1h30m", "1d12h", "-2w", "0", "9223372036854775807ns", "1.d", "é5s", "5s5"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseDuration(text)
		if err != nil && got != 0 {
			t.Errorf("%q: %v with %v", text, got, err)
		}
		if want, goErr := time.ParseDuration(text); goErr == nil && want > -1<<63 && (err != nil || got != want) {
			t.Errorf("%q: %v, %v; Go reads %v", text, got, err, want)
		}
		if back, err := ParseDuration(ShortDuration(got)); back != got || err != nil {
			t.Errorf("%q: %v reads back as %v, %v", text, got, back, err)
		}
	})
}
