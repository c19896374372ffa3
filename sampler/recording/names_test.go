package recording

import (
	"strings"
	"testing"
	"unicode"

	"github.com/mdzesseis/leaktrend/sampler"
)

// Names in a file may hold what a terminal obeys or what turns the text around it: nothing that is told of a file does.
func TestNamesArePrintable(t *testing.T) {
	evil := "\x1b[31mred\x1b[2J\u202e\u009b\x7f"
	for form, text := range map[string]string{
		"recording": "# leaktrend recording v1\n# source: " + evil + "\n# ceiling: a" + evil + " 5\ntime,a" + evil +
			"\n1,2\n2,3\n3,x" + evil + "\n",
		"version": "# leaktrend recording v1" + evil + "\ntime,a\n1,2\n2,3\n",
		"CSV":     "time,a" + evil + ",b" + evil + "\n1700000000,2,z\n1700000001,3,z\n1700000002,x" + evil + ",y\n",
		"table": "time;a" + evil + ";max" + evil + "_max\n1700000000;2;1\n1700000001;3;2\n1700000002;x" + evil +
			";3\n",
		"processes": "time;pod;a\n1700000000;" + evil + ";1\n1700000000;b;1\n1700000001;" + evil +
			";1\n1700000001;b;1\n",
		"long": "time;metric;value\n1700000000;" + evil + ";1\n1700000000;b;1\n1700000001;" + evil +
			";1\n1700000001;b;1\n",
		"metrics": "{\"a" + evil + "\",pod=\"" + evil + "\"} 1 1700000000\n{\"a" + evil + "\",pod=\"x\"} 1 " +
			"1700000000\n" +
			"{\"a" + evil + "\",pod=\"x\"} 1 x\n{\"b" + evil + "\",le=\"1\"} 1 1700000000\n",
		"JSON": `{"time":1700000000,"a\u001b[31m\u202e":1}` + "\n" + `{"time":1700000001,"a\u001b[31m\u202e":2}` + "\n",
		"range": `[{"metric":{"__name__":"a\u001b","pod":"\u001bx"},"values":[[1700000000,"1"],[1700000001,"z"]]},` +
			`{"metric":{"__name__":"a\u001b","pod":"y"},"values":[[1700000000,"1"]]}]`,
		"server": `{"status":"error","errorType":"\u001b","error":"\u001b"}`,
		"frames": `[{"schema":{"fields":[{"name":"t","type":"time"},{"name":"\u001b","type":"number"},` +
			`{"name":"\u001bx","type":"\u001b"}]},"data":{"values":[[1700000000000],[1],[2]]}}]`,
		"pairs": "time=1700000000 a" + evil + "=1 b=2\ntime=1700000001 a" + evil + "=1 b=2\n" + evil + "\n",
		"influx": "m,host=" + evil + " v" + evil + "=1 1700000000000000000\nm,host=b v" + evil +
			"=1 1700000000000000000\n",
		"without":     "a" + evil + ";b\n1;2\n2;3\n",
		"not a table": evil,
	} {
		t.Run(form, func(t *testing.T) {
			var shown []string
			f, err := Read(t.Context(), strings.NewReader(text), "f", Options{})
			if err != nil {
				shown = append(shown, err.Error())
			} else {
				for _, r := range f.Recordings {
					shown = append(shown, r.Process(), r.Header().Source)
					var s sampler.Sample
					for r.Sample(t.Context(), &s) == nil {
						r.Rename(&s)
						for _, reading := range s.Readings {
							shown = append(shown, reading.Resource)
						}
						for _, c := range s.Ceilings {
							shown = append(shown, c.Resource)
						}
					}
					_, faults := r.Faults()
					shown = append(shown, texts(faults)...)
				}
				shown = append(append(shown, f.NotJudged()...), f.Understood())
			}
			for _, text := range shown {
				if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
					t.Errorf("%q", text)
				}
			}
		})
	}
}
