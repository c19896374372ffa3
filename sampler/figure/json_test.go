package figure

import (
	"encoding/json"
	"testing"
)

func TestRoundJSON(t *testing.T) {
	for text, want := range map[string]string{
		`{"baseline":104.04999999999998,"rows":1800,"t":9.712181120846747}`: `{"baseline":104.05,"rows":1800,` +
			`"t":9.71218}`,
		`[925448.806853629,-12918382.995073939,0.9969358891126019]`: `[925449,-12918383,0.996936]`,
		`[15728640,1234567890123,1e6,1e+30,0,-0]`:                   `[15728640,1234567890123,1e6,1e+30,0,-0]`,
		`[1.23456789e-9,9.87654321e+25,0.00001234567,999999.96,9.9999996]`: `[1.23457e-09,9.87654e+25,0.0000123457,` +
			`1000000,10]`,
		`{"a\"1.23456789":"2026-11-23T15:38:00.783123456Z 1.23456789\\"}`: `{"a\"1.23456789":"2026-11-23T15:38:00.783123456Z 1.23456789\\"}`,
		"[\n  1.23456789\n]\n": "[\n  1.23457\n]\n", ``: ``, `null`: `null`, `"cut \`: `"cut \`,
	} {
		if got := string(RoundJSON([]byte(text))); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func FuzzRoundJSON(f *testing.F) {
	f.Add([]byte(`{"a":[1.23456789,"\u00e9\"",-1e-9,true,null]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		rounded := RoundJSON(text)
		if json.Valid(text) && !json.Valid(rounded) {
			t.Errorf("%q is no JSON any more: %q", text, rounded)
		}
		if again := RoundJSON(rounded); string(again) != string(rounded) {
			t.Errorf("%q is %q, and then %q", text, rounded, again)
		}
	})
}
