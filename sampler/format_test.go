package sampler

import (
	"math"
	"testing"
	"time"
)

func TestFormat(t *testing.T) {
	count, bytes, seconds := Resource{}, Resource{Unit: "bytes"}, Resource{Unit: "seconds"}
	for _, test := range []struct {
		resource     Resource
		value        float64
		want, hourly string
	}{
		{count, 0, "0", "0/h"},
		{count, 12, "12", "+12/h"},
		{count, 2911, "2,911", "+2,911/h"},
		{count, -1234567, "-1,234,567", "-1,234,567/h"},
		{count, 999.5, "1,000", "+1,000/h"},
		{count, 3.14159, "3.1", "+3.1/h"},
		{count, 9.96, "10", "+10/h"},
		{count, 0.004, "0.004", "+0.004/h"},
		{count, -0.25, "-0.25", "-0.25/h"},
		{count, 999999999999999, "999,999,999,999,999", "+999,999,999,999,999/h"},
		{count, 1e15, "1e+15", "+1e+15/h"},
		{count, -math.MaxFloat64, "-1.798e+308", "-1.798e+308/h"},
		{bytes, 0, "0 B", "0 B/h"},
		{bytes, 1023, "1023 B", "+1023 B/h"},
		{bytes, 1024, "1.0 KB", "+1.0 KB/h"},
		{bytes, 1023.5 * 1024, "1.0 MB", "+1.0 MB/h"}, // 1024 KB, rounded
		{bytes, 9.94 * (1 << 20), "9.9 MB", "+9.9 MB/h"},
		{bytes, 9.96 * (1 << 20), "10.0 MB", "+10.0 MB/h"},
		{bytes, 10 << 20, "10 MB", "+10 MB/h"},
		{bytes, 66.24 * (1 << 20), "66.2 MB", "+66.2 MB/h"},
		{bytes, 99.96 * (1 << 20), "100 MB", "+100 MB/h"},
		{bytes, 1.4 * (1 << 30), "1.4 GB", "+1.4 GB/h"},
		{bytes, -120 << 20, "-120 MB", "-120 MB/h"},
		{bytes, 1 << 62, "4.0 EB", "+4.0 EB/h"},
		{bytes, 1 << 72, "4096 EB", "+4096 EB/h"},
		{seconds, 12000, "3h 20m", "+3h 20m/h"},
		{seconds, -0.4, "-400ms", "-400ms/h"},
		{seconds, 9.2e9, "106481d", "+106481d/h"},
		{seconds, 1e12, "1,000,000,000,000s", "+1,000,000,000,000s/h"},
		{seconds, -math.MaxFloat64, "-1.798e+308s", "-1.798e+308s/h"},
	} {
		if got := test.resource.Format(test.value); got != test.want {
			t.Errorf("Format(%v %s) = %q, want %q", test.value, test.resource.Unit, got, test.want)
		}
		if got := test.resource.FormatPerHour(test.value); got != test.hourly {
			t.Errorf("FormatPerHour(%v %s) = %q, want %q", test.value, test.resource.Unit, got, test.hourly)
		}
	}
}

func TestFormatDuration(t *testing.T) {
	const day = 24 * time.Hour
	for _, test := range []struct {
		d    time.Duration
		want string
	}{
		{0, "0s"},
		{3, "3ns"},
		{12345, "12µs"},
		{1230 * time.Microsecond, "1.2ms"},
		{9960 * time.Microsecond, "10ms"},
		{50 * time.Millisecond, "50ms"},
		{400 * time.Millisecond, "400ms"},
		{999_499 * time.Microsecond, "999ms"},
		{999_500 * time.Microsecond, "1s"},
		{1234 * time.Millisecond, "1.2s"},
		{9960 * time.Millisecond, "10s"},
		{42 * time.Second, "42s"},
		{59499 * time.Millisecond, "59s"},
		{59500 * time.Millisecond, "1m"},
		{130 * time.Second, "2m 10s"},
		{59*time.Minute + 29*time.Second, "59m 29s"},
		{59*time.Minute + 30*time.Second, "1h"},
		{200 * time.Minute, "3h 20m"},
		{day - 30*time.Minute - 1, "23h 30m"},
		{day - 30*time.Minute, "1d"},
		{76 * time.Hour, "3d 4h"},
		{1000*day + time.Hour, "1000d"},
		{-130 * time.Second, "-2m 10s"},
		{math.MaxInt64, "106751d"},
		{math.MinInt64, "-106751d"},
	} {
		if got := FormatDuration(test.d); got != test.want {
			t.Errorf("FormatDuration(%d ns) = %q, want %q", test.d, got, test.want)
		}
	}
}

func TestShortDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{time.Second: "1s", 20 * time.Minute: "20m", 24 * time.Hour: "24h",
		90 * time.Minute:   "1h30m",
		3601 * time.Second: "1h0m1s", 1500 * time.Millisecond: "1.5s", 70 * time.Second: "1m10s",
		10 * time.Second: "10s", 100 * time.Millisecond: "100ms"} {
		if got := ShortDuration(d); got != want {
			t.Errorf("%v: got %s, want %s", d, got, want)
		}
		if back, err := time.ParseDuration(ShortDuration(d)); back != d {
			t.Errorf("%v reads back as %v, %v", d, back, err)
		}
	}
}
