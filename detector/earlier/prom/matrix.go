package prom

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

const (
	bufferSize = 64 << 10
	maxToken   = 1 << 20 // bytes of one string
	maxDepth   = 64      // of what is skipped
	// that the series of one answer have room for: some names without values could ask for much more
	maxValues = 8 << 20
	pairSize  = 96 // bytes that hold any pair that is written without spaces
)

var (
	errFormat = errors.New("not in the form of an answer")
	errEnds   = errors.New("it ends too early")
)

// answer decodes the answer to a range query while it is read, onto a grid. The general decoders of JSON, and that of
// the client library, take as long as the server does; nearly all of an answer are pairs of an instant and a number.
type answer struct {
	grid     Grid
	series   []Series
	points   int64
	warnings v1.Warnings

	r       io.Reader
	buf     []byte
	at, end int
	failed  error // of the reader, at the end of buf

	status, errorType, message, resultType string
}

// decodeAnswer reads an answer to its end. Values that lie on no instant of the grid are dropped. The error is that of
// the reader, or a *v1.Error.
func decodeAnswer(r io.Reader, g Grid) (*answer, error) {
	a := &answer{grid: g, r: r, buf: make([]byte, bufferSize)}
	if err := a.ended(a.object(a.field)); err != nil {
		return nil, err
	}
	if a.resultType != model.ValMatrix.String() {
		return nil, fmt.Errorf("answered a range query with a %s", a.resultType)
	}
	return a, nil
}

func (a *answer) field(name string) (err error) {
	switch name {
	case "status":
		a.status, err = a.text()
	case "errorType":
		a.errorType, err = a.text()
	case "error":
		a.message, err = a.text()
	case "warnings":
		return a.array(func() error {
			text, err := a.text()
			a.warnings = append(a.warnings, text)
			return err
		})
	case "isPartial": // of a cluster of VictoriaMetrics
		partial, err := a.scalar()
		if partial == "true" {
			a.warnings = append(a.warnings, "a part of its storage did not answer (isPartial)")
		}
		return err
	case "data":
		return a.object(func(name string) (err error) {
			switch name {
			case "resultType":
				a.resultType, err = a.text()
				return err
			case "result":
				return a.array(a.one)
			}
			return a.skip()
		})
	default:
		return a.skip()
	}
	return err
}

// one reads a series.
func (a *answer) one() error {
	if (len(a.series)+1)*a.grid.N > maxValues {
		return errAnswerTooLarge
	}
	s := Series{model.Metric{}, empty(a.grid.N)}
	err := a.object(func(name string) error {
		switch name {
		case "metric":
			return a.object(func(name string) error {
				value, err := a.text()
				s.Labels[model.LabelName(name)] = model.LabelValue(value)
				return err
			})
		case "values":
			return a.values(s.Values)
		}
		return a.skip()
	})
	a.series = append(a.series, s)
	return err
}

// values reads the pairs of a series.
func (a *answer) values(to []float64) error {
	start, step := a.grid.Start.UnixMilli(), float64(a.grid.Step.Milliseconds())
	return a.array(func() error {
		milliseconds, value, err := a.pair()
		if err != nil {
			return err
		}
		a.points++
		if i := math.Round(float64(milliseconds-start) / step); i >= 0 && i < float64(len(to)) {
			to[int(i)] = value
		}
		return nil
	})
}

// pair reads [SECONDS,"VALUE"].
func (a *answer) pair() (milliseconds int64, value float64, err error) {
	if a.end-a.at < pairSize {
		a.fill()
	}
	if milliseconds, value, n := quickPair(a.buf[a.at:a.end]); n > 0 {
		a.at += n
		return milliseconds, value, nil
	}
	return a.anyPair()
}

// anyPair reads a pair however it is written.
func (a *answer) anyPair() (milliseconds int64, value float64, err error) {
	var both [2]float64
	n := 0
	err = a.array(func() error {
		text, err := a.scalar()
		if err != nil {
			return err
		}
		if n == len(both) {
			return errFormat
		}
		if both[n], err = strconv.ParseFloat(text, 64); err != nil {
			return errFormat
		}
		n++
		return nil
	})
	const maxTime = 1e15 // seconds
	if err == nil && (n != len(both) || !(math.Abs(both[0]) < maxTime)) {
		err = errFormat
	}
	return int64(math.Round(both[0] * 1000)), both[1], err
}

// quickPair reads a pair as servers write nearly all of them, from the begin of a text; n is how long it is, 0 for one
// that is written otherwise, or not whole.
func quickPair(b []byte) (milliseconds int64, value float64, n int) {
	if len(b) == 0 || b[0] != '[' {
		return 0, 0, 0
	}
	seconds, places, i := digits(b, 1)
	if i == 1 || places > 3 || i+1 >= len(b) || b[i] != ',' || b[i+1] != '"' {
		return 0, 0, 0
	}
	for ; places < 3; places++ {
		seconds *= 10
	}
	if seconds >= 1e15 { // more than the other way holds exactly, and no time of today
		return 0, 0, 0
	}
	begin := i + 2
	integer, places, i := digits(b, begin)
	if i > begin && i+1 < len(b) && b[i] == '"' && b[i+1] == ']' {
		// Both are exact, so the quotient is the nearest number, as of strconv.
		return seconds, float64(integer) / powers[places], i + 2
	}
	for i = begin; i < len(b) && b[i] != '"' && b[i] != '\\'; i++ {
	}
	if i == begin || i+1 >= len(b) || b[i] != '"' || b[i+1] != ']' {
		return 0, 0, 0
	}
	value, err := strconv.ParseFloat(string(b[begin:i]), 64)
	if err != nil {
		return 0, 0, 0
	}
	return seconds, value, i + 2
}

// maxDigits is how many digits are exact in any number.
const maxDigits = 15

// powers of ten, all exact.
var powers = [maxDigits + 1]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// digits reads up to 15 digits with or without a point, from b[begin] on, and returns them as a whole number, how many
// stand behind the point, and where they end: begin where there are none, or more.
func digits(b []byte, begin int) (integer int64, places, end int) {
	n, point := 0, -1
	for end = begin; end < len(b); end++ {
		c := b[end]
		if c >= '0' && c <= '9' {
			if n++; n > maxDigits {
				return 0, 0, begin
			}
			integer = 10*integer + int64(c-'0')
			continue
		}
		if c != '.' || point >= 0 || n == 0 {
			break
		}
		point = end
	}
	switch {
	case point < 0:
		return integer, 0, end
	case point == end-1:
		return 0, 0, begin
	}
	return integer, end - point - 1, end
}

// The tokens of JSON.

// fill reads more, and keeps what was not used yet.
func (a *answer) fill() {
	if a.failed != nil {
		return
	}
	copy(a.buf, a.buf[a.at:a.end])
	a.at, a.end = 0, a.end-a.at
	for a.end < len(a.buf) && a.failed == nil {
		n, err := a.r.Read(a.buf[a.end:])
		a.end += n
		a.failed = err
		if n > 0 && a.end >= len(a.buf)/2 {
			return
		}
	}
}

// ends returns why there is nothing more.
func (a *answer) ends() error {
	if errors.Is(a.failed, io.EOF) {
		return errEnds
	}
	return a.failed
}

// peek returns the next byte that is no space.
func (a *answer) peek() (byte, error) {
	for {
		for ; a.at < a.end; a.at++ {
			if c := a.buf[a.at]; c != ' ' && c != '\n' && c != '\t' && c != '\r' {
				return c, nil
			}
		}
		if a.failed != nil {
			return 0, a.ends()
		}
		a.fill()
	}
}

func (a *answer) expect(want byte) error {
	c, err := a.peek()
	if err == nil && c != want {
		err = errFormat
	}
	a.at++
	return err
}

// list reads what stands between two brackets, with commas.
func (a *answer) list(opens, closes byte, each func() error) error {
	if err := a.expect(opens); err != nil {
		return err
	}
	if c, err := a.peek(); err != nil || c == closes {
		a.at++
		return err
	}
	for {
		if err := each(); err != nil {
			return err
		}
		c, err := a.peek()
		a.at++
		switch {
		case err != nil:
			return err
		case c == closes:
			return nil
		case c != ',':
			return errFormat
		}
	}
}

func (a *answer) array(each func() error) error { return a.list('[', ']', each) }

func (a *answer) object(each func(name string) error) error {
	return a.list('{', '}', func() error {
		name, err := a.text()
		if err == nil {
			err = a.expect(':')
		}
		if err == nil {
			err = each(name)
		}
		return err
	})
}

// text reads a string.
func (a *answer) text() (string, error) {
	quoted, err := a.quoted()
	if err != nil {
		return "", err
	}
	plain := quoted[1 : len(quoted)-1]
	for _, c := range plain {
		if c == '\\' || c < ' ' || c > '~' {
			var text string
			if json.Unmarshal(quoted, &text) != nil {
				return "", errFormat
			}
			return text, nil
		}
	}
	return string(plain), nil
}

// quoted reads a string with its quotes. It is valid until the next is read.
func (a *answer) quoted() ([]byte, error) {
	if c, err := a.peek(); err != nil || c != '"' {
		if err == nil {
			err = errFormat
		}
		return nil, err
	}
	for n := 1; ; n++ {
		if a.at+n >= a.end {
			if err := a.more(); err != nil {
				return nil, err
			}
			n--
			continue
		}
		switch a.buf[a.at+n] {
		case '\\':
			n++
		case '"':
			token := a.buf[a.at : a.at+n+1]
			a.at += n + 1
			return token, nil
		}
	}
}

// more reads more of a token, that may not fit into the buffer.
func (a *answer) more() error {
	if a.failed != nil {
		return a.ends()
	}
	if a.at == 0 && a.end == len(a.buf) {
		if len(a.buf) >= maxToken {
			return errFormat
		}
		a.buf = append(a.buf, make([]byte, len(a.buf))...)
	}
	a.fill()
	return nil
}

// scalar reads a string or a number.
func (a *answer) scalar() (string, error) {
	c, err := a.peek()
	if err != nil {
		return "", err
	}
	if c == '"' {
		return a.text()
	}
	for n := 0; ; n++ {
		if a.at+n >= a.end {
			if err := a.more(); err != nil {
				return "", err
			}
			n--
			continue
		}
		switch a.buf[a.at+n] {
		case ',', ']', '}', ' ', '\n', '\t', '\r', ':', '[', '{', '"':
			token := string(a.buf[a.at : a.at+n])
			a.at += n
			if token == "" {
				return "", errFormat
			}
			return token, nil
		}
	}
}

// skip reads a value and forgets it.
func (a *answer) skip() error {
	depth := 0
	var skip func() error
	skip = func() error {
		if depth++; depth > maxDepth {
			return errFormat
		}
		defer func() { depth-- }()
		c, err := a.peek()
		switch {
		case err != nil:
			return err
		case c == '{':
			return a.object(func(string) error { return skip() })
		case c == '[':
			return a.array(skip)
		case c == '"':
			_, err = a.quoted()
			return err
		}
		_, err = a.scalar()
		return err
	}
	return skip()
}
