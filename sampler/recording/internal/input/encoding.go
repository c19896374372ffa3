package input

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
)

// Unpack unzips and decodes a text, and reads its beginning. below is what in reads from, past its buffer. The error
// says what is wrong with the packing.
func Unpack(src io.Reader) (in *bufio.Reader, below io.Reader, head []byte, err error) {
	in, below = bufio.NewReaderSize(src, BlockSize), src
	if head, err = peek(in, 2); err != nil {
		return nil, nil, nil, Cause(err)
	}
	for packed := 0; packed < 2 && bytes.HasPrefix(head, []byte{0x1f, 0x8b}); packed++ { // some are packed twice
		unzip, err := gzip.NewReader(in)
		if err != nil {
			return nil, nil, nil, err
		}
		in, below = bufio.NewReaderSize(unzip, BlockSize), unzip
		if head, err = peek(in, 2); err != nil {
			return nil, nil, nil, Cause(err)
		}
	}
	if head, err = peek(in, BlockSize); err != nil {
		return nil, nil, nil, Cause(err)
	}
	if wide := wideText(head); wide != nil {
		below = transform.NewReader(in, wide.NewDecoder())
		in = bufio.NewReaderSize(below, BlockSize)
		if head, err = peek(in, BlockSize); err != nil {
			return nil, nil, nil, fmt.Errorf("UTF-16: %w", err)
		}
	}
	if decode := narrowText(head); decode != nil {
		below = transform.NewReader(in, decode)
		in = bufio.NewReaderSize(below, BlockSize)
		if head, err = peek(in, BlockSize); err != nil {
			return nil, nil, nil, Cause(err)
		}
	}
	return in, below, head, nil
}

// wideText returns the encoding of a text in UTF-16, with a byte order mark or without, as some tools of Windows write;
// nil if it is none.
func wideText(head []byte) encoding.Encoding {
	switch {
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}):
		return unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM)
	case bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		return unicode.UTF16(unicode.BigEndian, unicode.ExpectBOM)
	}
	head = head[:min(len(head), 1024)]
	even, odd := 0, 0 // zero bytes
	for i, c := range head {
		if c == 0 && i%2 == 0 {
			even++
		} else if c == 0 {
			odd++
		}
	}
	switch half := len(head) / 2; {
	case half > 4 && odd > half*9/10 && even == 0:
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	case half > 4 && even > half*9/10 && odd == 0:
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	}
	return nil
}

// narrowText returns what makes a text in UTF-8, with lines as they are here, of one in the code page of Western
// Windows or whose lines end with a carriage return alone; nil where it is so already, or no text.
func narrowText(head []byte) transform.Transformer {
	var all []transform.Transformer
	if lone := bytes.IndexByte(head, '\r') >= 0 && bytes.IndexByte(head, '\n') < 0; lone {
		all = append(all, &newlines{})
	}
	if n := len(head); n == BlockSize { // it may end within a letter
		head = head[:n-utf8.UTFMax]
		for len(head) > 0 && !utf8.RuneStart(head[len(head)-1]) {
			head = head[:len(head)-1]
		}
		head = head[:max(len(head)-1, 0)]
	}
	control := bytes.ContainsFunc(head, func(r rune) bool {
		return r < ' ' && r != '\t' && r != '\n' && r != '\r' && r != 0x1b
	})
	if !control && !utf8.Valid(head) {
		all = append(all, charmap.Windows1252.NewDecoder())
	}
	if bytes.ContainsAny(head, "│┃║") {
		all = append(all, runes.Map(plainRule))
	}
	if len(all) == 0 {
		return nil
	}
	return transform.Chain(all...)
}

// plainRule writes the rules of a table that are drawn as boxes with bars and dashes.
func plainRule(r rune) rune {
	switch {
	case r == '│' || r == '┃' || r == '║':
		return '|'
	case r == '─' || r == '━' || r == '═':
		return '-'
	case r >= '┌' && r <= '╬':
		return '+'
	}
	return r
}

// newlines makes newlines of carriage returns.
type newlines struct{ transform.NopResetter }

// Transform copies src to dst.
func (newlines) Transform(dst, src []byte, _ bool) (nDst, nSrc int, err error) {
	n := copy(dst, src)
	for i, c := range dst[:n] {
		if c == '\r' {
			dst[i] = '\n'
		}
	}
	if n < len(src) {
		err = transform.ErrShortDst
	}
	return n, n, err
}
