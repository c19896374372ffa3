package prom

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

// written is an answer with all that JSON allows, and what servers add.
const written = ` { "status" : "success" , "isPartial":false, "stats":{"seriesFetched":"2","executionTimeMsec":[1,{"a":null}]},
 "warnings":["half \"of\" it","ümlaut"], "data" : { "resultType":"matrix","result":[
 {"metric":{"job":"a\n\"b\"","instance":"\u00fc:1","path":"ü"},"values":[[1772323200,"1"],[1772323260,"-2.5"],[1772323320,"NaN"],[1772323380,"1.5e+3"],[1772323440.000,"0.1"]]},
 {"values":[[1772323200.5,"12345678901234567890"],[1772323320,"123456789012345"],[1772323380,"+Inf"], [ 1772323440 , "0.000001" ],[1872323440,"7"]],"metric":{},"histograms":[[1,{"count":"1"}]]},
 {"metric":{"empty":"yes"},"values":[]}
 ]}}
`

func TestDecodeAnswer(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	want := []Series{
		{model.Metric{"job": "a\n\"b\"", "instance": "ü:1", "path": "ü"}, []float64{1, -2.5, nan, 1500, .1}},
		{model.Metric{}, []float64{12345678901234567890, nan, 123456789012345, inf, .000001}},
		{model.Metric{"empty": "yes"}, []float64{nan, nan, nan, nan, nan}},
	}
	for name, reader := range map[string]io.Reader{
		"whole": strings.NewReader(written), "by bytes": iotest.OneByteReader(strings.NewReader(written)),
		"in halves": iotest.HalfReader(strings.NewReader(written)),
	} {
		got, err := decodeAnswer(reader, Grid{begin, time.Minute, 5})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got.series, cmpopts.EquateNaNs()); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(v1.Warnings{`half "of" it`, "ümlaut"}, got.warnings); diff != "" || got.points != 10 {
			t.Errorf("%s: %d points, warnings (-want +got):\n%s", name, got.points, diff)
		}
	}
}

// An answer that is cut off is known wherever that is, and one of which the connection broke by its error.
func TestDecodeCutOff(t *testing.T) {
	for n := range len(strings.TrimRight(written, "\n")) {
		var apiErr *v1.Error
		if _, err := decodeAnswer(strings.NewReader(written[:n]), Grid{begin, time.Minute, 5}); !errors.As(err,
			&apiErr) || apiErr.Type != v1.ErrBadResponse {
			t.Fatalf("after %d bytes: %v", n, err)
		}
		if _, err := decodeAnswer(io.MultiReader(strings.NewReader(written[:n]), iotest.ErrReader(io.ErrUnexpectedEOF)),
			Grid{begin, time.Minute, 5}); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("broken after %d bytes: %v", n, err)
		}
	}
	for _, text := range []string{"", "[]", "nothing", written + "}",
		strings.Replace(written, `"values":[`, `"values":[1,`, 1), `{"status":"success"}`, `{"data":{}}`,
		`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1e300,"1"]]}]}}`,
		strings.Repeat("[", 1<<16)} {
		if a, err := decodeAnswer(strings.NewReader(text), Grid{begin, time.Minute, 5}); err == nil {
			t.Errorf("%.80s: %+v", text, a)
		}
	}
}

// Series without values have room on the grid: no answer asks for more memory than its own size allows for.
func TestDecodeManyNames(t *testing.T) {
	text := `{"status":"success","data":{"resultType":"matrix","result":[` +
		strings.Repeat(`{"metric":{"a":"b"},"values":[]},`, 100_000)
	if _, err := decodeAnswer(strings.NewReader(text), Grid{begin, time.Minute, MaxPoints}); !errors.Is(err,
		errAnswerTooLarge) {
		t.Errorf("%v, want that it is too large", err)
	}
}

func FuzzDecodeAnswer(f *testing.F) {
	f.Add([]byte(written))
	f.Add([]byte(`{"status":"error","errorType":"timeout","error":"slow"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		grid := Grid{begin, time.Minute, 5}
		got, err := decodeAnswer(bytes.NewReader(text), grid)
		again, errAgain := decodeAnswer(iotest.OneByteReader(bytes.NewReader(text)), grid)
		if fmt.Sprint(err) != fmt.Sprint(errAgain) {
			t.Fatalf("%v, by bytes %v", err, errAgain)
		}
		if err != nil {
			return
		}
		if diff := cmp.Diff(got.series, again.series, cmpopts.EquateNaNs()); diff != "" {
			t.Fatal(diff)
		}
		// What the general decoder takes is the same.
		var want struct {
			Data struct {
				Result []struct {
					Metric map[string]string `json:"metric"`
					Values [][2]any          `json:"values"`
				} `json:"result"`
			} `json:"data"`
		}
		if json.Unmarshal(text, &want) != nil || strings.Count(string(text), `"data"`) != 1 ||
			strings.Count(string(text), `"result"`) != 1 {
			return
		}
		if len(want.Data.Result) != len(got.series) {
			t.Fatalf("%d series, want %d", len(got.series), len(want.Data.Result))
		}
	})
}

// FuzzPair holds the short way against the long one.
func FuzzPair(f *testing.F) {
	for _, text := range []string{`[1772323200,"1"]`, `[1772323200.123,"-0.5"],`, `[1,"NaN"]`, `[1.,"1"]`, `[1,"1."]`,
		`[1,".5"]`, `[1,"999999999999999"]`, `[1,"0.12345678901234"]`, `[10000000000000,"0"]`,
		`[77252327752523,"0"]`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		milliseconds, value, n := quickPair(text)
		if n == 0 {
			return
		}
		a := &answer{r: bytes.NewReader(text[:n]), buf: make([]byte, bufferSize)}
		m, v, err := a.anyPair()
		if err != nil || m != milliseconds || math.Float64bits(v) != math.Float64bits(value) {
			t.Fatalf("%s: %d %v, the long way %d %v (%v)", text[:n], milliseconds, value, m, v, err)
		}
	})
}

// BenchmarkDecode reads an answer of 100 series of a week.
func BenchmarkDecode(b *testing.B) {
	const n = 2016
	var text bytes.Buffer
	text.WriteString(`{"status":"success","data":{"resultType":"matrix","result":[`)
	for i := range 100 {
		if i > 0 {
			text.WriteByte(',')
		}
		fmt.Fprintf(&text, `{"metric":{"job":"api","instance":"10.0.0.%d:8080"},"values":[`, i)
		for k := range n {
			if k > 0 {
				text.WriteByte(',')
			}
			fmt.Fprintf(&text, `[%d,"%s"]`, begin.Unix()+int64(k)*300, strconv.FormatFloat(1e8+float64(k*7919%1013),
				'f', -1, 64))
		}
		text.WriteString("]}")
	}
	text.WriteString("]}}")
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if a, err := decodeAnswer(bytes.NewReader(text.Bytes()), Grid{begin, 5 * time.Minute, n}); err != nil ||
			a.points != 100*n {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(100*n), "ns/value")
}
