package scan

import (
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestInstant(t *testing.T) {
	at := time.Date(2026, 3, 2, 14, 5, 6, 0, time.UTC)
	for text, want := range map[string]struct {
		at   time.Time
		form Form
	}{
		"2026-03-02T14:05:06Z":                                           {at, Text},
		"2026-03-02t14:05:06z":                                           {at, Text},
		"2026-03-02T14:05:06.25Z":                                        {at.Add(250 * time.Millisecond), Text},
		"2026-03-02 14:05:06,250":                                        {at.Add(250 * time.Millisecond), Text},
		"2026-03-02 14:05":                                               {at.Add(-6 * time.Second), Text},
		"2026-03-02":                                                     {at.Truncate(24 * time.Hour), Day},
		"2026/03/02 14:05:06":                                            {at, Text},
		"2026.03.02 14:05:06":                                            {at, Text},
		"2026-03-02T14:05:06+0000":                                       {at, Text},
		"2026-03-02T16:05:06+02":                                         {at, Text},
		"2026-03-02 09:05:06 -05:00":                                     {at, Text},
		"2026-03-02 14:05:06 UTC":                                        {at, Text},
		"2026-03-02 14:05:06 GMT":                                        {at, Text},
		"2026-03-02 15:05:06 +0100 CET":                                  {at, Text},
		"2026-03-02 14:05:06 +0000 UTC m=+0.012":                         {at, Text},
		"2026-03-02 14:05:06 CET":                                        {},
		"2026-03-02T14:05:06+00:00 4508":                                 {},
		"2026-03-02 11:05:06 -0300 -03":                                  {at, Text},
		"Mon Mar  2 14:05:06 2026":                                       {at, Text},
		"Mon Mar  2 11:05:06 -03 2026":                                   {at, Text},
		"Mon Mar  2 02:05:06 PM -00 2026":                                {at, Text},
		"seg 02 mar 2026 11:05:06 -03":                                   {at, Text},
		"seg, 2 de mar. de 2026 14:05:06":                                {at, Text},
		"ter 03 fev 2026 14:05:06 UTC":                                   {at.AddDate(0, 0, -27), Text},
		"lun 2 mar 2026 14:05:06 UTC":                                    {at, Text},
		"mar 3 mar 2026 14:05:06 UTC":                                    {at.AddDate(0, 0, 1), Text},
		"Mar 2 2026 14:05:06":                                            {at, Text},
		"03/02/2026 02:05:06 p.m.":                                       {at, Text},
		"2026-03-02 02:05:06 p. m.":                                      {at, Text},
		"March 02, 2026 at 02:05 PM":                                     {at.Add(-6 * time.Second), Text},
		"2026-03-02-14-05-06":                                            {at, Text},
		"2026-03-02_14-05-06":                                            {at, Text},
		"02-Mar-2026 14:05":                                              {at.Add(-6 * time.Second), Text},
		"02 Mar 26 14:05 UTC":                                            {at.Add(-6 * time.Second), Text},
		"Mon Mar 02 14:05:06 UTC 2026":                                   {at, Text},
		"Mon Mar  2 02:05:06 PM UTC 2026":                                {at, Text},
		"Mon Mar 02 14:05:06 CET 2026":                                   {},
		"Mon Mar 02 2026 14:05:06 GMT+0000 (Coordinated Universal Time)": {at, Text},
		"Mon Mar 02 2026 15:05:06 GMT+0100 (Central European Standard Time)": {at, Text},
		"Mon Mar 02 2026 15:05:06 (CET)":                                     {},
		"02-MAR-26 02.05.06.000000 PM":                                       {at, Text},
		"02-MAR-26 14:05:06":                                                 {at, Text},
		"Mar  2 2026  2:05PM":                                                {at.Add(-6 * time.Second), Text},
		"2026-03-02T15:05:06+01:00[Europe/Berlin]":                           {at, Text},
		"2026-03-02T15:05:06[Europe/Berlin]":                                 {},
		"Mon, 02 Mar 2026 14:05:06 GMT":                                      {at, Text},
		"Mon, 02 Mar 2026 14:05:06 +0000":                                    {at, Text},
		"Mar 2, 2026, 2:05:06 PM":                                            {at, Text},
		"02/Mar/2026:14:05:06 +0000":                                         {at, Text},
		"03/02/2026 02:05:06 PM":                                             {at, Text},
		"02.03.2026 14:05:06":                                                {at, Text},
		"1772460306":                                                         {at, Seconds},
		"1772460306.5":                                                       {at.Add(500 * time.Millisecond), Seconds},
		"1772460306000":                                                      {at, Millis},
		"1772460306000000":                                                   {at, Micros},
		"1772460306000000000":                                                {at, Nanos},
		"2026年3月2日 14时05分06秒":                                                {at, Text},
		"2026年3月2日 14:05:06":                                                 {at, Text},
		"2026-03-02 오후 2:05:06":                                              {at, Text},
		"2026/3/2 下午 2:05:06":                                                {at, Text},
		"2026년 3월 2일 오후 2:05:06":                                             {at, Text},
		"Mo 2. Mär 14:05:06 UTC 2026":                                        {at, Text},
		"2. März 2026 14:05:06":                                              {at, Text},
		"lun. 2 mars 2026 14:05:06":                                          {at, Text},
		"2 déc. 2026 14:05:06": {time.Date(2026, 12, 2, 14, 5, 6, 0, time.UTC),
			Text},
		"Mo 2. Mär 14:05:06 CET 2026": {}, "mars": {}, "2 mo": {},
		"02.03.26 14:05:06": {at, Text}, "[02/Mar/2026:14:05:06 +0000]": {at, Text},
		"/Date(1772460306000)/": {at, Millis}, "Mon 03/02/2026 14:05:06": {at, Text},
		"2:05:06 PM 03/02/2026":            {at, Text},
		"Monday, March 2, 2026 2:05:06 PM": {at, Text}, "Mon 02 Mar 2026 14:05": {at.Add(-6 * time.Second), Text},
		"02-Mar-2026": {at.Truncate(24 * time.Hour), Day}, "[]": {}, "/Date()/": {},
		"1.772460306e9": {at, Seconds},
		"12":            {}, "0": {}, "": {}, "x": {}, "206327781": {}, "2026": {}, "14:05:06": {}, "2026-13-02": {},
		"2026-02-30": {}, "2026-03-02 25:00": {}, "1e400": {},
		"20260302T140506Z": {at, Text}, "20260302 14:05:06": {at, Text}, "20260302140506": {at, Text}, "20260302": {},
		"03/02/26 14:05:06": {at, Text}, "03/02/26": {},
		"1.2.3": {}, "10.0.0.5": {},
	} {
		got, form := Instant(text, MonthFirst)
		if !got.Equal(want.at) || form != want.form {
			t.Errorf("%q: %v, %d, want %v, %d", text, got, form, want.at, want.form)
		}
	}
	if got, form := Instant("02/03/2026 14:05:06", DayFirst); !got.Equal(at) || form != Text {
		t.Errorf("day first: %v, %d", got, form)
	}
	for text, want := range map[string]bool{"02/03/2026": true, "13/03/2026": false, "2026-03-02": false,
		"03/03/2026": false} {
		if AmbiguousOrder(text) != want {
			t.Errorf("%s: ambiguous: %v", text, !want)
		}
	}
}

func TestParseAmount(t *testing.T) {
	for _, test := range []struct {
		cell   string
		commas Commas
		want   Amount
	}{
		{"12", Thousands, Amount{Value: 12}},
		{"-1.5e3", Thousands, Amount{Value: -1500}},
		{"206,327,781", Thousands, Amount{Value: 206327781}},
		{"1,234.5", Thousands, Amount{Value: 1234.5}},
		{"206,3", Decimal, Amount{Value: 206.3}},
		{"1.234,5", Decimal, Amount{Value: 1234.5}},
		{"1.234.567", Decimal, Amount{Value: 1234567}},
		{"1 234 567", Thousands, Amount{Value: 1234567}},
		{"1\u202f234", Thousands, Amount{Value: 1234}},
		{"1'234", Thousands, Amount{Value: 1234}},
		{"196.8 MiB", Thousands, Amount{Value: 196.8 * (1 << 20), Unit: "bytes"}},
		{"196,8 MiB", Decimal, Amount{Value: 196.8 * (1 << 20), Unit: "bytes"}},
		{"45MiB / 7.5GiB", Thousands, Amount{Value: 45 << 20, Unit: "bytes", Of: 7.5 * (1 << 30)}},
		{"1.06 K", Thousands, Amount{Value: 1060, Thousands: 1}},
		{"1.5 Mil", Thousands, Amount{Value: 1.5e6, Thousands: 2}},
		{"512M / 1T", Thousands, Amount{Value: 512 << 20, Unit: "bytes", Of: 1 << 40}},
		{"3 / 1k", Thousands, Amount{Value: 3, Of: 1000}},
		{"196,8 Mo", Decimal, Amount{Value: 196.8e6, Unit: "bytes"}},
		{"~197 MB", Thousands, Amount{Value: 197e6, Unit: "bytes"}},
		{"197 MB (12 %)", Thousands, Amount{Value: 197e6, Unit: "bytes"}},
		{"197 (old)", Thousands, Amount{}},
		{"1.5g", Thousands, Amount{Value: 1.5 * (1 << 30), Unit: "bytes"}},
		{"512Mi", Thousands, Amount{Value: 512 << 20, Unit: "bytes"}},
		{"30.5%", Thousands, Amount{Value: 30.5, Unit: "percent"}},
		{"250 ms", Thousands, Amount{Value: 0.25, Unit: "seconds"}},
		{"5 E", Thousands, Amount{}}, {"abc", Thousands, Amount{}}, {"", Thousands, Amount{}},
		{"1,2,3", Thousands, Amount{}}, {"12,34", Thousands, Amount{}},
		{"MiB", Thousands, Amount{}}, {"1 2", Thousands, Amount{}}, {"NaN", Thousands, Amount{}},
		{"1/2/3", Thousands, Amount{}}, {"2026-03-02", Thousands, Amount{}},
	} {
		got, ok := ParseAmount(test.cell, test.commas)
		if diff := cmp.Diff(test.want, got); diff != "" || ok != (test.want != Amount{}) {
			t.Errorf("%q: ok %v (-want +got):\n%s", test.cell, ok, diff)
		}
	}
	for cell, want := range map[string]bool{"206,3": true, "0,123": true, "206,327": false, "1,234,567": false,
		"12": false, "1,": false} {
		if DecimalComma(cell) != want {
			t.Errorf("%q: decimal comma %v", cell, !want)
		}
	}
}

func TestAbsent(t *testing.T) {
	for cell, want := range map[string]bool{"": true, "-- / --": true, "-": true, "NaN": true, "0": false,
		"12 / --": false, "--/12": false} {
		if Absent(cell) != want {
			t.Errorf("%q: absent: %v", cell, !want)
		}
	}
}

func TestBytes(t *testing.T) {
	for _, test := range []struct{ from, want Amount }{
		{Amount{Value: 2e6, Of: 4e6, Thousands: 2}, Amount{Value: 2 << 20, Of: 4 << 20, Unit: "bytes"}},
		{Amount{Value: 12}, Amount{Value: 12, Unit: "bytes"}},
	} {
		got := test.from.Bytes()
		got.Value, got.Of = math.Round(got.Value), math.Round(got.Of)
		if got != test.want {
			t.Errorf("%+v: %+v, want %+v", test.from, got, test.want)
		}
	}
}

func FuzzInstant(f *testing.F) {
	for _, seed := range []string{"2026-03-02T14:05:06Z", "03/02/2026 02:05:06 PM", "Mon Mar 02 14:05:06 UTC 2026",
		"1772460306.5", "1e18", "2026-03-02 14:05:06 +0000 UTC m=+0.012"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, order := range []Order{MonthFirst, DayFirst} {
			at, form := Instant(text, order)
			if form == NoTime != at.IsZero() {
				t.Fatalf("%q: %v in form %d", text, at, form)
			}
			if form == Text || form == Day {
				again, f := Instant(at.Format(time.RFC3339Nano), order)
				if f != Text || !again.Equal(at) && at.Year() >= 1970 && at.Year() <= 2200 {
					t.Fatalf("%q: %v reads back as %v", text, at, again)
				}
			}
		}
	})
}

func FuzzParseAmount(f *testing.F) {
	for _, seed := range []string{"206,327,781", "196.8 MiB", "1'234", "45MiB / 7.6GiB", "1.06 K", "-5", "5e3 k"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, commas := range []Commas{Thousands, Decimal} {
			a, ok := ParseAmount(text, commas)
			if ok && (math.IsNaN(a.Value) || math.IsNaN(a.Of)) {
				t.Fatalf("%q: %+v", text, a)
			}
			// What strconv reads is read to the same value.
			if v, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(v) && !math.IsInf(v, 0) &&
				(!ok || a.Value != v) {
				t.Fatalf("%q: %+v, %v, want %v", text, a, ok, v)
			}
		}
	})
}
