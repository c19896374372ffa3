package figure

import (
	"bytes"
	"io"
	"math"
	"strconv"
)

// digits is how many significant ones a figure in JSON has, or more where all are before its point: what was computed
// is not known any better, and what was counted is whole.
const digits = 6

// RoundJSON returns a JSON text in which each number with a fraction is rounded to six significant digits, or to a
// whole number where that has more. Strings, and numbers without a fraction, stay as they are.
func RoundJSON(text []byte) []byte {
	rounded := make([]byte, 0, len(text))
	for len(text) > 0 {
		n := bytes.IndexAny(text, `"-0123456789`)
		if n < 0 {
			break
		}
		rounded, text = append(rounded, text[:n]...), text[n:]
		if text[0] == '"' {
			n = stringEnd(text)
			rounded, text = append(rounded, text[:n]...), text[n:]
			continue
		}
		n = len(text) - len(bytes.TrimLeft(text, "-+.eE0123456789"))
		rounded, text = appendRounded(rounded, text[:n]), text[n:]
	}
	return append(rounded, text...)
}

// stringEnd returns the length of the string with which a JSON text begins, with its quotes.
func stringEnd(text []byte) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

func appendRounded(to, number []byte) []byte {
	v, err := strconv.ParseFloat(string(number), 64)
	if err != nil || !bytes.ContainsRune(number, '.') {
		return append(to, number...)
	}
	if size := math.Abs(v); size >= math.Pow10(digits-1) && size < math.Pow10(21) {
		return strconv.AppendFloat(to, math.Round(v), 'f', -1, 64)
	}
	short, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', digits, 64), 64)
	form := byte('f')
	if size := math.Abs(short); size < 1e-6 || size >= 1e21 { // as package json has it
		form = 'e'
	}
	return strconv.AppendFloat(to, short, form, -1, 64)
}

// JSONWriter returns a writer that rounds the numbers of what it is given before it hands that on. Each write must hold
// whole values, as those of a json.Encoder do.
func JSONWriter(w io.Writer) io.Writer { return jsonWriter{w} }

type jsonWriter struct{ to io.Writer }

func (w jsonWriter) Write(text []byte) (int, error) {
	rounded := RoundJSON(text)
	n, err := w.to.Write(rounded)
	if n == len(rounded) {
		return len(text), err
	}
	return min(n, len(text)), err
}
