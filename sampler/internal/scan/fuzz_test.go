package scan

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"
	"time"
)

func FuzzParseNumber(f *testing.F) {
	for _, seed := range []string{"0", "-0", "12", "1.5", ".5", "5.", "-", ".", "9007199254740993",
		"9007199254740993.0", "18446744073709551616", "9999999999999999999",
		"0.1234567890123456789", "123456789012345.678", "1e5", "1e-400", "1e999", "0x1p-2", "1_0", "NaN", "-inf", "+5",
		" 5", "5,"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		want, wantErr := strconv.ParseFloat(text, 64)
		got, err := Number([]byte(text))
		if (err != nil) != (wantErr != nil) || err == nil && math.Float64bits(got) != math.Float64bits(want) &&
			!(math.IsNaN(got) && math.IsNaN(want)) {
			t.Fatalf("%q: got %v, %v, want %v, %v", text, got, err, want, wantErr)
		}
		// What the fast path accepts it must have read to the same value as strconv would.
		if v, next, ok := PlainNumber([]byte(text), 0); ok {
			if want, err := strconv.ParseFloat(text[:next], 64); err != nil ||
				math.Float64bits(v) != math.Float64bits(want) {
				t.Fatalf("fast path of %q: got %v, want %v, %v", text[:next], v, want, err)
			}
		}
	})
}

func FuzzParseTime(f *testing.F) {
	for _, seed := range []string{"2026-11-23T08:15:48Z", "2026-11-23T08:15:48.123456789Z",
		"2026-11-23T08:15:48.1234567890Z", "2026-11-23 08:15:48+02:00", "2026-02-29T00:00:00Z",
		"2024-02-29T23:59:59.9Z", "2024-02-29T23:59:60Z", "2024-02-29T24:00:00Z", "1969-12-31T23:59:59Z",
		"2200-12-31T23:59:59Z", "2201-01-01T00:00:00Z", "0", "1700000000", "1700000000.123456789",
		"1700000000.1234567899", "1700000000123", "1.700000000123e+09", "7289654399", "7289654400", "99999999999",
		"100000000000", "1e11", "1e-5", "-1", "-0", "+5", "1e100", ".5", "5.", "1e", "", "2026-11-23",
		"20261123T081548Z",
		"2026-11-23t08:15:48z", "2026-11-23 08:15:48", "2026-11-23T08:15:48.1", "2026-11-23T08:15:48,5"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var cold, warm Times
		if _, _, err := warm.Parse([]byte("2026-11-23T00:00:00Z")); err != nil {
			t.Fatal(err)
		}
		sec, nsec, err := cold.Parse([]byte(text))
		if sec2, nsec2, err2 := warm.Parse([]byte(text)); sec2 != sec || nsec2 != nsec || err2 != err {
			t.Fatalf("%q: %d, %d, %v with one date before and %d, %d, %v with none", text, sec2, nsec2, err2, sec, nsec,
				err)
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
			return t, ErrTime
		}
		text = text[:10] + "T" + strings.ToUpper(text[11:])
		var err error
		if t, err = time.Parse(time.RFC3339, text); err != nil {
			t, err = time.Parse("2006-01-02T15:04:05", text) // UTC
		}
		if err != nil {
			return t, ErrTime
		}
	} else {
		for i, c := range []byte(text) {
			digit := c >= '0' && c <= '9'
			sign := (c == '+' || c == '-') && i > 0 && text[i-1]|0x20 == 'e' || c == '+' && i == 0
			if !digit && !sign && c != '.' && c|0x20 != 'e' {
				return t, ErrTime
			}
		}
		if _, exponent, ok := strings.Cut(strings.ToLower(text), "e"); ok {
			if n, err := strconv.Atoi(exponent); err != nil || n < -100 || n > 100 {
				return t, ErrTime
			}
		}
		if f, err := strconv.ParseFloat(text, 64); err != nil || f > 1e15 {
			return t, ErrTime
		}
		rat, ok := new(big.Rat).SetString(text)
		if !ok {
			return t, ErrTime
		}
		if rat.Cmp(big.NewRat(unixMillis, 1)) >= 0 {
			rat.Quo(rat, big.NewRat(1000, 1))
		}
		rat.Mul(rat, big.NewRat(1e9, 1))
		n := new(big.Int).Quo(rat.Num(), rat.Denom())
		if !n.IsInt64() {
			return t, ErrTimeRange
		}
		t = time.Unix(0, n.Int64()).UTC()
	}
	if t.Unix() < 0 || t.Unix() >= EndOfTime {
		return t, ErrTimeRange
	}
	return t, nil
}
