package fleet

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/backtest"
)

// Shard is a part of a fleet, of parts that together are all of it. A workload is in one of them as a whole, so each
// judges its own, and keeps the promise for what it finds. The zero value is all.
type Shard struct {
	Number, Of int // Number is 1 to Of, or 0, which is the same as Of: an index may begin at either
}

// maxShards bounds the parts.
const maxShards = 10_000

// ParseShard reads one as in 3/16. "" is all.
func ParseShard(text string) (Shard, error) {
	if text == "" {
		return Shard{}, nil
	}
	number, of, found := strings.Cut(text, "/")
	n, err := strconv.Atoi(number)
	m, err2 := strconv.Atoi(of)
	if !found || err != nil || err2 != nil || n < 0 || n > m || m < 1 || m > maxShards {
		return Shard{}, fmt.Errorf("%s: must be NUMBER/OF, as in 3/16, OF up to %d", text, maxShards)
	}
	return Shard{n, m}, nil
}

// holds reports whether what has a name is in the shard.
func (s Shard) holds(name string) bool {
	if s.Of <= 1 {
		return true
	}
	h := fnv.New64a()
	h.Write([]byte(name))
	return int(h.Sum64()%uint64(s.Of)) == s.Number%s.Of
}

// part is all that has one value of the outer label and, if it is divided, one of the namespace.
type part struct {
	outer, namespace string
	divided          bool
}

// matcher returns the matchers of a part.
func (p part) matcher(src *source) string {
	if !p.divided {
		return equals(src.outer, p.outer)
	}
	return equals(src.outer, p.outer) + "," + equals(namespaceLabel, p.namespace)
}

// likens reports whether one matcher can match both parts and nothing else. A server that looks for the lack of a label
// looks at all series, so what lacks it stands alone.
func (p part) likens(other part) bool {
	if p.divided {
		return other.divided && p.outer == other.outer && p.namespace != "" && other.namespace != ""
	}
	return !other.divided && p.outer != "" && other.outer != ""
}

// matcherOfAll returns the matchers of parts that are alike.
func matcherOfAll(src *source, parts []part) string {
	var values []string
	for _, p := range parts {
		if p.divided {
			values = append(values, p.namespace)
		} else {
			values = append(values, p.outer)
		}
	}
	if parts[0].divided {
		return equals(src.outer, parts[0].outer) + "," + isOneOf(namespaceLabel, values)
	}
	return isOneOf(src.outer, values)
}

// parts returns the parts of a source that are in the shard. A job that stands for a whole discovery is divided by
// namespace, as all others of it would be in one shard.
func (s Shard) parts(outers []string, src *source, namespacesOf func(outer string) ([]string, error)) (all []part,
	err error) {
	for _, outer := range outers {
		if s.Of <= 1 || src.container || !discovered.MatchString(outer) {
			if s.holds(outer) {
				all = append(all, part{outer: outer})
			}
			continue
		}
		namespaces, err := namespacesOf(outer)
		if err != nil {
			return nil, err
		}
		for _, namespace := range append(namespaces, "") {
			if s.holds(outer + "\x00" + namespace) {
				all = append(all, part{outer, namespace, true})
			}
		}
	}
	return all, nil
}

// Past is what a fleet, or parts of it, tell of how often growth comes to nothing, and of how much grows now.
type Past struct {
	Hypotheses int // resources of groups that were judged, over lives too
	// Sums are by resource, of what was not judged over lives.
	backtest.Sums
	Lengths map[int]int // how many of these have a history of so many hours
	// Lives are of growth over lives, by the class of its call.
	Lives backtest.Sums
}

// With returns what both tell.
func (p *Past) With(other *Past) Past {
	both := Past{
		Hypotheses: p.Hypotheses + other.Hypotheses, Sums: p.Sums.With(&other.Sums), Lengths: map[int]int{},
		Lives: p.Lives.With(&other.Lives),
	}
	for _, lengths := range []map[int]int{p.Lengths, other.Lengths} {
		for hours, n := range lengths {
			both.Lengths[hours] += n
		}
	}
	return both
}

// usualLength returns the median length of the histories; 0 = there are none.
func (p *Past) usualLength() time.Duration {
	all := 0
	for _, n := range p.Lengths {
		all += n
	}
	before := 0
	for _, hours := range slices.Sorted(maps.Keys(p.Lengths)) {
		if before += p.Lengths[hours]; 2*before > all {
			return time.Duration(hours) * time.Hour
		}
	}
	return 0
}
