package sampler

import (
	"bytes"
	"context"
	"io"
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"
	"time"
)

func FuzzReader(f *testing.F) {
	for _, seed := range []string{
		"# leaktrend recording v1\n# interval: 1s\n# start: 5\n# ceiling: a 5\ntime,a,b\n2026-11-23T08:15:48.123Z,12,\n1795421749,1e3,NaN\n",
		"1,2\n3,4",
		"a,time\r\n\"5\",\"2026-11-23 08:15:48+02:00\"\r\n",
		"# TYPE go_goroutines gauge\ngo_goroutines{a=\"b\"} 5 10\nprocess_max_fds 5 9\n# EOF\n",
		`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"up"},"values":[[10,"1"],[9,"2"]]}]}}`,
		`[{"metric":{},"values":[[1e1,"1"]]}]`,
		"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff",
		"\ufefftime\n1\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		r, err := NewReader(bytes.NewReader(input), "fuzz")
		if err != nil {
			return
		}
		var s Sample
		var last time.Time
		for n := 0; ; n++ {
			err := r.Sample(context.Background(), &s)
			if err == io.EOF {
				if n == 0 {
					t.Fatal("a Reader without a sample")
				}
				break
			}
			if err != nil {
				continue
			}
			if n > 0 && !s.Time.After(last) || s.Time.Year() < 1970 || s.Time.Year() > 2200 {
				t.Fatalf("time %v after %v", s.Time, last)
			}
			last = s.Time
			for _, reading := range s.Readings {
				if math.IsNaN(reading.Value) || math.IsInf(reading.Value, 0) || reading.Resource == "" {
					t.Fatalf("reading %+v", reading)
				}
			}
			for _, c := range s.Ceilings {
				if !(c.Level > 0) || math.IsInf(c.Level, 0) {
					t.Fatalf("ceiling %+v", c)
				}
			}
		}
		n, first := r.Faults()
		if (n > 0) != (len(first) > 0) || len(first) > maxFaults {
			t.Fatalf("%d faults, %d told", n, len(first))
		}
	})
}

func FuzzParseNumber(f *testing.F) {
	for _, seed := range []string{"0", "-0", "12", "1.5", ".5", "5.", "-", ".", "9007199254740993", "9007199254740993.0", "18446744073709551616", "9999999999999999999",
		"0.1234567890123456789", "123456789012345.678", "1e5", "1e-400", "1e999", "0x1p-2", "1_0", "NaN", "-inf", "+5", " 5", "5,"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		want, wantErr := strconv.ParseFloat(text, 64)
		got, err := parseNumber([]byte(text))
		if (err != nil) != (wantErr != nil) || err == nil && math.Float64bits(got) != math.Float64bits(want) && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Fatalf("%q: got %v, %v, want %v, %v", text, got, err, want, wantErr)
		}
		// What the fast path accepts it must have read to the same value as strconv would.
		if v, next, ok := scanNumber([]byte(text), 0); ok {
			if want, err := strconv.ParseFloat(text[:next], 64); err != nil || math.Float64bits(v) != math.Float64bits(want) {
				t.Fatalf("fast path of %q: got %v, want %v, %v", text[:next], v, want, err)
			}
		}
	})
}

func FuzzParseTime(f *testing.F) {
	for _, seed := range []string{"2026-11-23T08:15:48Z", "2026-11-23T08:15:48.123456789Z", "2026-11-23T08:15:48.1234567890Z", "2026-11-23 08:15:48+02:00", "2026-02-29T00:00:00Z",
		"2024-02-29T23:59:59.9Z", "2024-02-29T23:59:60Z", "2024-02-29T24:00:00Z", "1969-12-31T23:59:59Z", "2200-12-31T23:59:59Z", "2201-01-01T00:00:00Z", "0", "1700000000", "1700000000.123456789",
		"1700000000.1234567899", "1700000000123", "1.700000000123e+09", "7289654399", "7289654400", "99999999999", "100000000000", "1e11", "1e-5", "-1", "-0", "+5", "1e100", ".5", "5.", "1e", "", "2026-11-23", "20261123T081548Z",
		"2026-11-23t08:15:48z", "2026-11-23 08:15:48", "2026-11-23T08:15:48.1", "2026-11-23T08:15:48,5"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var cold, warm timeParser
		if _, _, err := warm.parse([]byte("2026-11-23T00:00:00Z")); err != nil {
			t.Fatal(err)
		}
		sec, nsec, err := cold.parse([]byte(text))
		if sec2, nsec2, err2 := warm.parse([]byte(text)); sec2 != sec || nsec2 != nsec || err2 != err {
			t.Fatalf("%q: %d, %d, %v with one date before and %d, %d, %v with none", text, sec2, nsec2, err2, sec, nsec, err)
		}
		want, wantErr := referenceTime(text)
		if (err != nil) != (wantErr != nil) || err == nil && (sec != want.Unix() || nsec != int64(want.Nanosecond())) {
			t.Fatalf("%q: got %d, %d, %v, want %v, %v", text, sec, nsec, err, want, wantErr)
		}
	})
}

// referenceTime is timeParser.parse in terms of time.Parse and big.Rat.
func referenceTime(text string) (time.Time, error) {
	var t time.Time
	if len(text) > 10 && text[4] == '-' {
		if !strings.Contains("Tt ", text[10:11]) {
			return t, errTime
		}
		text = text[:10] + "T" + strings.ToUpper(text[11:])
		var err error
		if t, err = time.Parse(time.RFC3339, text); err != nil {
			t, err = time.Parse("2006-01-02T15:04:05", text) // UTC
		}
		if err != nil {
			return t, errTime
		}
	} else {
		for i, c := range []byte(text) {
			digit := c >= '0' && c <= '9'
			sign := (c == '+' || c == '-') && i > 0 && text[i-1]|0x20 == 'e' || c == '+' && i == 0
			if !digit && !sign && c != '.' && c|0x20 != 'e' {
				return t, errTime
			}
		}
		if _, exponent, ok := strings.Cut(strings.ToLower(text), "e"); ok {
			if n, err := strconv.Atoi(exponent); err != nil || n < -100 || n > 100 {
				return t, errTime
			}
		}
		if f, err := strconv.ParseFloat(text, 64); err != nil || f > 1e15 {
			return t, errTime
		}
		rat, ok := new(big.Rat).SetString(text)
		if !ok {
			return t, errTime
		}
		if rat.Cmp(big.NewRat(unixMillis, 1)) >= 0 {
			rat.Quo(rat, big.NewRat(1000, 1))
		}
		rat.Mul(rat, big.NewRat(1e9, 1))
		n := new(big.Int).Quo(rat.Num(), rat.Denom())
		if !n.IsInt64() {
			return t, errTimeRange
		}
		t = time.Unix(0, n.Int64()).UTC()
	}
	if t.Unix() < 0 || t.Unix() >= endOfTime {
		return t, errTimeRange
	}
	return t, nil
}
