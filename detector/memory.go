package detector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/engine"
	"github.com/mdzesseis/leaktrend/detector/internal/guard"
	"github.com/mdzesseis/leaktrend/detector/lives"
	saved "github.com/mdzesseis/leaktrend/detector/state"
	"github.com/mdzesseis/leaktrend/detector/wording"
	"github.com/mdzesseis/leaktrend/sampler"
)

const (
	// maxEarly samples, with that many readings, may come before the state of earlier lives: they are judged once more.
	maxEarly         = 256
	maxEarlyReadings = 8192
	// lostOfSoak is which part of a soak run may be lost where it is killed.
	lostOfSoak = 200
)

// memory is what a monitor knows of lives before the running one, and how that reached it. It is guarded by the mutex
// of the state that it is part of.
type memory struct {
	of       *state
	key      saved.Key // of the state; empty = by the process and the configuration
	learned  bool      // something was taken in
	afar     bool      // by the reader of history_from, not from the life before
	given    time.Time // latest sample in what Restore was given
	early    []sampler.Sample
	readings int // in these
	over     bool
	written  time.Time // of the latest sample in what was saved
}

// earlierLives returns what is known of the lives before.
type earlierLives = func(ctx context.Context, config Config) (lives.Record, error)

const (
	readingLimit = 30 * time.Second // for the lives before
	readingEnd   = time.Second      // for the reader to return once that is over, or the monitor stops
)

// read begins to read the lives before where nothing of them is known. The function that it returns ends that, and
// reports whether the reader returned.
func (k *memory) read(ctx context.Context, read *earlierLives, logger *logrus.Logger) (end func() bool) {
	k.of.mu.Lock()
	config, learned := k.of.detector.Config(), k.learned
	k.of.mu.Unlock()
	switch {
	case config.HistoryFrom == "" || learned || !config.Enabled:
		return func() bool { return true }
	case read == nil:
		logger.Warn("Resource monitor: history_from is set, and this program has nothing that reads it: see " +
			"ReadEarlierLives")
		return func() bool { return true }
	}
	ctx, cancel := context.WithTimeout(ctx, readingLimit)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer cancel()
		var record lives.Record
		err := guard.Do(func() (err error) {
			record, err = (*read)(ctx, config)
			return err
		})
		if err == nil && len(record.Lives) > 0 {
			err = k.learnAfar(record)
		}
		if err != nil && !errors.Is(err, context.Canceled) {
			guard.Entry(logger, err).Warn("Resource monitor: what earlier lives taught cannot be read, and learning " +
				"begins anew")
		}
	}()
	return func() bool {
		cancel()
		late := time.NewTimer(readingEnd)
		defer late.Stop()
		select {
		case <-ended:
			return true
		case <-late.C:
			return false
		}
	}
}

// place says where the state belongs.
func (k *memory) place() saved.Place {
	k.of.mu.Lock()
	defer k.of.mu.Unlock()
	config := k.of.detector.Config()
	p := saved.Place{Dir: config.StateDir, Key: saved.Key{
		Executable: cmp.Or(k.key.Executable, k.of.process.Executable), Instance: cmp.Or(k.key.Instance, config.Instance,
			k.of.process.Host),
	}}
	if soak := config.Adaptive.Soak; soak > 0 { // whose ages are others
		p.Key.Instance += " soak " + sampler.ShortDuration(soak)
		p.Fine = max(soak/lostOfSoak, 50*time.Millisecond)
	}
	return p
}

// keepEarly keeps a sample that may have to be judged again, where a state is awaited. It needs the mutex.
func (k *memory) keepEarly(s *sampler.Sample, awaited bool) {
	if k.over = k.over || !awaited; k.over {
		return
	}
	k.readings += len(s.Readings)
	if k.learned || len(k.early) == maxEarly || k.readings > maxEarlyReadings {
		k.early, k.over = nil, true
		return
	}
	k.early = append(k.early, s.Clone())
}

// learn takes in what earlier lives left.
func (k *memory) learn(s *saved.Saved) error {
	k.of.mu.Lock()
	defer k.of.mu.Unlock()
	return k.restoreSaved(s)
}

// learnAfar takes in what the reader of earlier lives found, unless the state came meanwhile, which knows more.
func (k *memory) learnAfar(record lives.Record) error {
	k.of.mu.Lock()
	defer k.of.mu.Unlock()
	if k.learned {
		return nil
	}
	err := k.restoreSaved(&saved.Saved{Record: record})
	k.afar = err == nil
	return err
}

// restoreSaved makes a saved state the one of this process. It needs the mutex.
func (k *memory) restoreSaved(s *saved.Saved) error {
	if latest := s.Record.Latest(); latest != nil && !latest.End.After(k.given) {
		return nil // no more than was given
	}
	s.Record = s.Record.Clone()
	if s.PID != k.of.process.PID { // also of one that began seconds later, which start times may not tell
		s.Record.CloseLatest(lives.Replaced)
	}
	for name, r := range s.Record.Resources {
		alerted := slices.ContainsFunc(s.Alerts, func(a alerting.Alert) bool {
			return a.Kind == alerting.Trend && a.Resource == name
		})
		if r.Held != nil && !alerted { // as where the process was killed meanwhile: it is to be found and told anew
			r.Held, r.Severity, r.Lives = nil, 0, nil
			s.Record.Resources[name] = r
		}
	}
	if !k.afar { // else what was told is news all the same
		if err := k.restore(&s.Record); err != nil {
			return err
		}
	}
	open := slices.DeleteFunc(slices.Clone(s.Alerts), func(a alerting.Alert) bool {
		if a.Kind == alerting.Trend {
			return false // it holds until this life has shown whether the growth goes on
		}
		return !slices.ContainsFunc(s.Record.Open, func(e alerting.Event) bool {
			return e.Resource == a.Resource && e.Kind == a.Kind
		})
	})
	k.of.ledger.saw(s.Fingerprints)
	delivered, now := k.of.ledger.resume(open)
	k.of.webhook.resume(k.of.detector.Config(), delivered, s)
	for _, a := range now {
		k.of.notify(a)
	}
	k.judgeEarly()
	return nil
}

// restore has a record of earlier lives taken in, before the first sample or shortly after. It needs the mutex.
func (k *memory) restore(r *lives.Record) error {
	switch {
	case k.learned:
		return errors.New("another state is in use since this process started")
	case k.of.latest.Time.IsZero():
		if err := k.of.detector.Restore(*r); err != nil {
			return err
		}
		k.learned = true
		return nil
	case k.over || k.of.recorded:
		return fmt.Errorf("%w: after %s of samples", saved.ErrLate,
			sampler.ShortDuration(k.of.latest.Time.Sub(k.of.first).Round(time.Second)))
	}
	config := k.of.detector.Config()
	again, err := New(config)
	if err != nil {
		return err
	}
	kept := r.Clone()
	kept.EndBy(k.of.first) // it overlaps with this one
	if err := again.Restore(kept); err != nil {
		return err
	}
	for _, t := range k.of.detector.engine.All() {
		again.Describe(t.Resource())
	}
	k.of.detector, k.learned = again, true
	return nil
}

// inheritedWait is how long a finding of an earlier life holds on a resource of which nothing is read.
const inheritedWait = time.Hour

// endGroundless ends what holds since an earlier life and has no ground in this one, as where growth is not judged any
// more, the record of that life is not one of this time, or lines of code leaked there, which are followed anew. It
// needs the mutex.
func (k *memory) endGroundless() {
	for _, a := range k.of.ledger.inherited() {
		e := a.Event
		t := k.of.detector.engine.Of(e.Resource)
		switch l := k.of.leaks[e.Resource]; {
		case l != nil && l.Fires() && e.Kind == alerting.Trend:
			continue
		case t == nil:
			if k.of.latest.Time.Sub(k.of.first) < inheritedWait {
				continue
			}
		default:
			e.Value, _ = t.Latest()
			_, alerted := t.Leaks()
			if e.Kind == alerting.Trend && alerted || e.Kind == alerting.Limit &&
				(t.Fails() || !(e.Value < t.LimitLevel())) {
				continue
			}
		}
		e.Time, e.Status, e.Exhaustion, e.Evidence = k.of.latest.Time, alerting.Resolved, nil, nil
		e.Summary = wording.SitesResolved(&e, &alerting.Site{}, engine.Restarted)
		k.of.recordEvent(e)
	}
}

// judgeEarly judges the samples again that came before what was learned. It needs the mutex.
func (k *memory) judgeEarly() {
	early := k.early
	k.early, k.over = nil, true
	for i := range early {
		k.of.recordTotals(k.of.detector.Observe(&early[i]))
	}
}

// toSave returns what the next life is to know; ok is false where nothing is new since it was last asked for.
func (k *memory) toSave() (s saved.Saved, ok bool) {
	k.of.mu.Lock()
	defer k.of.mu.Unlock()
	if k.of.latest.Time.IsZero() || k.of.latest.Time.Equal(k.written) {
		return s, false
	}
	k.written = k.of.latest.Time
	return k.handover(), true
}

// handover needs the mutex.
func (k *memory) handover() saved.Saved {
	alerts := k.of.ledger.holding()
	s := saved.Saved{PID: k.of.process.PID, Record: k.of.detector.Lives(), Alerts: alerts,
		Fingerprints: k.of.ledger.fingerprints()}
	s.Receiver, s.Delivered = k.of.webhook.delivered(k.of.detector.Config(), alerts)
	return s
}
