(function () {
  var main = document.getElementById('live'), page = window.leaktrend, last = Date.now(), busy = false, paused = false;
  var unfolded = null; // whether the plots of what does not grow are shown; null until somebody chooses
  var view = JSON.parse(document.getElementById('data').textContent);

  // make returns an element with attributes and children. Text is never read as HTML; of the monitor's own pictures alone the innerHTML is set.
  function make(name, attributes) {
    var e = document.createElement(name);
    for (var k in attributes) { if (attributes[k] !== undefined) { e.setAttribute(k, attributes[k]); } }
    for (var i = 2; i < arguments.length; i++) { if (arguments[i]) { e.append(arguments[i]); } }
    return e;
  }
  function picture(name, attributes, svg) {
    var e = make(name, attributes);
    e.innerHTML = svg || '';
    return e;
  }
  function all(parent, children) {
    children.forEach(function (c) { if (c) { parent.append(c); } });
    return parent;
  }

  function instant(text) { return new Date(text).getTime(); }
  function at(text, as) { return text ? make('time', { datetime: text, 'data-at': instant(text), 'data-as': as || 'full' }) : ''; }
  function seconds(v) { return page.format(v, 'seconds'); }
  function left(e) { return seconds(Math.max(0, (instant(e.at) - instant(view.time)) / 1000)); }
  function bounds(e) {
    if (!e.earliest) { return ''; }
    return ' (' + left({ at: e.earliest }) + ' to ' + left({ at: e.latest }) + ')';
  }
  function perHour(v, unit) { return (v < 0 ? '-' : v > 0 ? '+' : '') + page.format(Math.abs(v), unit) + '/h'; }
  function base(path) { return path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1); }
  function percent(v) { return +(100 * v).toPrecision(2) + ' %'; }
  // A time below a second with two digits or more: 3.8 µs, 210 ms.
  function shortTime(ns) {
    if (ns >= 1e9) { return seconds(ns / 1e9); }
    var v = ns / 1e3, unit = 'µs';
    if (ns >= 1e6) { v = ns / 1e6; unit = 'ms'; }
    return v.toFixed(v < 9.95 ? 1 : 0) + ' ' + unit;
  }

  function tag(kind, word) { return make('span', { 'class': 'tag ' + kind }, word); }
  function verdict(r) {
    if (r.trend) { return tag('leak', 'LEAK'); }
    if (r.limit) { return tag('limit', 'LIMIT'); }
    switch (r.verdict) {
      case 'suspect': case 'early': return tag('suspect', r.verdict);
      case 'unjudged': return tag('none', 'unjudged');
    }
    return tag('ok', 'ok');
  }
  function grows(r) { return r.state === 'suspected' || r.state === 'firing'; }
  // What may become a finding has a rate too, as it has a time that is left.
  function hasRate(r) { return grows(r) || r.verdict === 'early' && r.callable; }
  function cell(kind, content, label) { return make('td', { 'class': kind || undefined, 'data-label': label }, content); }
  function table(id, label, heads, rows) {
    var head = make('tr');
    heads.forEach(function (h) { head.append(make('th', { scope: 'col', 'class': h[1] }, h[0])); });
    return make('div', { 'class': 'scroll', id: id },
      make('table', { 'class': 'stack' }, make('caption', {}, label), make('thead', {}, head), all(make('tbody'), rows)));
  }
  function key(entries) {
    return all(make('ul', { 'class': 'key', 'aria-label': 'Key of all plots' }), entries.map(function (k) {
      var item = picture('li', {}, k.sign);
      item.append(k.text);
      return item;
    }));
  }
  function facts(list) {
    var dl = make('dl', { 'class': 'facts' });
    list.forEach(function (f) { if (f) { dl.append(make('div', {}, make('dt', {}, f[0]), make('dd', {}, f[1], f[2]))); } });
    return dl;
  }

  function header() {
    var p = view.process, who = make('p'), first = true;
    [p.executable, p.pid && 'pid ' + p.pid, p.host && 'on ' + p.host, p.start && 'since '].forEach(function (text) {
      if (!text) { return; }
      who.append((first ? '' : ', ') + text);
      first = false;
    });
    if (p.start) { who.append(at(p.start)); }
    var line = make('p', { 'class': 'quiet small' }, make('span', { id: 'stale', 'class': 'stale', role: 'status' }));
    if (view.time) {
      line.append('Sampled at ', at(view.time, 'second'), ' ', at(view.time, 'zone'), ', every ' + seconds(view.interval_seconds));
      if (view.soak_seconds) { line.append(', in soak mode of ' + seconds(view.soak_seconds)); }
      line.append('. 1 KB is 1024 bytes, 1 MB is 1024 KB. ');
    }
    line.append(make('a', { href: 'status', 'data-id': 'status' }, 'As JSON'), ' ', pauseButton());
    var spans = make('nav', { 'class': 'spans', 'aria-label': 'Time shown' });
    view.spans.forEach(function (s) {
      spans.append(make('a', { href: '?last=' + s.name, 'data-id': 'span-' + s.name, 'aria-current': s.current ? 'true' : undefined },
        s.name === 'all' ? 'all' : 'last ' + s.name));
    });
    return make('header', {}, make('p', { 'class': 'brand' }, 'leaktrend'), make('h1', {}, view.headline), who, line, view.spans.length > 1 && spans);
  }

  // While it is paused the page stays as it is, whatever happens.
  function pauseButton() {
    var b = make('button', { type: 'button', 'data-id': 'pause' });
    function write() {
      b.textContent = paused ? 'Go on' : 'Pause';
      b.setAttribute('aria-label', paused ? 'Go on refreshing' : 'Pause refreshing');
    }
    b.addEventListener('click', function () {
      paused = !paused;
      write();
      mark(paused ? 'Paused. ' : '');
      refresh();
    });
    write();
    return b;
  }

  function resources(shown) {
    if (!shown.length) { return ''; }
    return table('table', 'All resources, the worst first',
      [['Verdict'], ['Resource'], ['Trend'], ['Now', 'n'], ['Baseline', 'n'], ['Rate', 'n'], ['Since'], ['Time left', 'n']],
      shown.map(function (r) {
        return make('tr', {}, cell('verdict', verdict(r)),
          make('th', { scope: 'row', 'class': 'what' }, make('a', { href: '#plot-' + r.resource, 'data-id': 'to-plot-' + r.resource }, r.resource)),
          picture('td', { 'class': 'course' }, view.plots[r.resource].spark),
          cell('n', page.format(r.value, r.unit)), cell('n', page.format(r.baseline, r.unit), 'baseline'),
          cell('n', hasRate(r) ? perHour(r.slope_per_hour, r.unit) : ''), cell('', grows(r) ? at(r.since) : '', 'since'),
          cell('n', r.exhaustion ? left(r.exhaustion) : '', 'left'));
      }));
  }

  // blamedLines returns the lines that alerts which hold name for what grows: they leak, also where their own growth is no
  // finding yet. An alert that is not sure of a line blames none, and one that names none leaves those named before.
  function blamedLines() {
    var latest = {}, lines = {};
    view.alerts.forEach(function (a) {
      var named = (a.sites || []).length || !latest[a.id] ? a.sites || [] : latest[a.id].named;
      latest[a.id] = { resource: a.resource, status: a.status, named: named };
    });
    Object.values(latest).forEach(function (a) {
      if (a.status === 'resolved') { return; }
      a.named.forEach(function (s) {
        var of = s.resource || (a.resource === 'goroutines' ? a.resource : 'heap_live_bytes');
        if (s.share >= 0.1 && s.known_by !== 'unsure') { lines[of + s.file + ':' + s.line] = true; }
      });
    });
    return lines;
  }

  // unsettled returns the resources of which nothing good can be said yet: what is not called of their lines is early too,
  // unless a line of theirs is blamed for the growth of all.
  function unsettled(blamed) {
    var by = {}, early = {};
    view.sites.forEach(function (s) { by[s.resource] = by[s.resource] || s.proven || s.leaks || blamed[s.resource + s.file + ':' + s.line]; });
    view.resources.forEach(function (r) { early[r.resource] = r.verdict !== 'ok' && !by[r.resource]; });
    return early;
  }

  // Lines of code: what is proven or leaks before the rest. All are in the JSON.
  var maxSites = 25;
  function sites() {
    if (!view.sites.length) { return ''; }
    var blamed = blamedLines(), early = unsettled(blamed);
    function rank(s) { return s.proven ? 0 : s.leaks || blamed[s.resource + s.file + ':' + s.line] ? 1 : s.suspected ? 2 : early[s.resource] ? 3 : 4; }
    var marks = [['leak', 'PROVEN'], ['leak', 'LEAK'], ['suspect', 'suspect'], ['suspect', 'early'], ['ok', 'ok']];
    var ranked = view.sites.slice().sort(function (a, b) { return rank(a) - rank(b); }), more = ranked.length - maxSites;
    return make('section', {}, make('h2', {}, 'Lines of code'),
      table('sites', 'Lines of code that hold the most or grow', [['Verdict'], ['Line'], ['Now', 'n'], ['Rate', 'n'], ['Waits for']],
        ranked.slice(0, maxSites).map(function (s) {
          var mark = marks[rank(s)], unit = s.resource === 'goroutines' ? '' : 'bytes';
          var now = unit ? page.format(s.bytes || 0, unit) + ' live' : page.format(s.count || 0) + ' goroutines';
          return make('tr', {}, cell('verdict', tag(mark[0], mark[1])),
            make('th', { scope: 'row', 'class': 'what' }, make('code', { title: s.file }, s.function), make('span', { 'class': 'file' }, base(s.file) + ':' + s.line)),
            cell('n', now), cell('n', rank(s) < 3 && s.growth_per_hour ? perHour(s.growth_per_hour, unit) : ''), cell('', s.wait_reason || ''));
        })),
      more > 0 && make('p', { 'class': 'quiet small' }, 'And ' + more + ' more in the JSON.'));
  }

  function plot(r) {
    var d = view.plots[r.resource];
    var article = make('article', { 'class': 'block', id: 'plot-' + r.resource }, make('h2', {}, verdict(r), ' ' + r.resource));
    if (grows(r)) {
      article.append(facts([
        ['Rate', perHour(r.slope_per_hour, r.unit)],
        ['Level', page.format(r.baseline, r.unit) + ' → ' + page.format(r.value, r.unit)],
        r.since && ['Growing for', seconds((instant(view.time) - instant(r.since)) / 1000)],
        r.exhaustion && ['Time left', left(r.exhaustion) + bounds(r.exhaustion),
          make('span', { 'class': 'quiet small' }, ' to ' + page.format(r.exhaustion.limit, r.unit) + ' (' + r.exhaustion.source + ')')]
      ]));
    }
    article.append(make('p', { 'class': 'small' }, r.why && r.why[0].toUpperCase() + r.why.slice(1) + '. ', make('span', { 'class': 'quiet' }, d.about)));
    if (d.plot) {
      article.append(picture('figure', {}, d.plot));
    }
    return article;
  }
  function plots(shown) {
    var findings = shown.filter(grows), rest = shown.filter(function (r) { return !grows(r); });
    var bar = '', seen = {}, entries = [];
    shown.forEach(function (r) {
      (view.plots[r.resource].key || []).forEach(function (k) {
        if (!seen[k.text]) { seen[k.text] = true; entries.push(k); }
      });
    });
    if (entries.length) {
      bar = make('div', { 'class': 'bar', id: 'plots', tabindex: '-1' }, key(entries),
        make('nav', { 'class': 'back', 'aria-label': 'Back' }, make('a', { href: '#table', 'data-id': 'back' }, 'Back to the table')));
    }
    var parts = [bar].concat(findings.map(plot)), pairs = all(make('div', { 'class': 'pairs' }), rest.map(plot));
    if (!findings.length) { return parts.concat(pairs); }
    if (rest.length) { parts.push(fold(rest, pairs)); }
    return parts;
  }
  // fold hides plots until they are asked for.
  function fold(rest, pairs) {
    var summary = make('summary', { 'data-id': 'fold' }, rest.length + ' without a finding: ' + rest.map(function (r) { return r.resource; }).join(', '));
    var details = make('details', { 'class': 'fold', open: unfolded ? '' : undefined }, summary, pairs);
    details.addEventListener('toggle', function () { unfolded = details.open; });
    return details;
  }

  function alerts() {
    var section = make('section', {}, make('h2', {}, 'Alerts'));
    if (!view.alerts.length) {
      section.append(make('p', { 'class': 'quiet' }, 'None.'));
      return section;
    }
    section.append(all(make('ul', { 'class': 'events' }), view.alerts.slice().reverse().map(function (a) {
      var over = a.status === 'resolved', item = picture('li', {}, over ? view.resolved_sign : view.firing_sign);
      item.append(at(a.time), ' ', make('b', {}, over ? 'resolved' : a.severity), a.known ? ' (known) ' : ' ', a.summary);
      if (a.fingerprint) { item.append(make('span', { 'class': 'quiet small' }, ' Fingerprint ' + a.fingerprint)); }
      return item;
    })));
    return section;
  }

  // What keeps memory alive: of each finding that holds, the way from a root to the objects of the line, the root first.
  function paths() {
    var latest = {}, order = [], parts = [];
    view.alerts.forEach(function (a) {
      if (!latest[a.id]) { order.push(a.id); }
      latest[a.id] = { alert: a, found: found(a) || latest[a.id] && latest[a.id].found };
    });
    order.forEach(function (id) {
      var f = latest[id];
      if (f.found && f.alert.status !== 'resolved') { parts.push(path(f.alert, f.found, id)); }
    });
    return parts.length ? all(make('section', { id: 'kept' }, make('h2', {}, 'What keeps it alive')), parts) : '';
  }
  // found returns what keeps alive what an alert is on.
  function found(a) {
    if (a.holder_path) { return { of: 'the open descriptors', path: a.holder_path, holder: a.holder }; }
    var s = (a.sites || []).filter(function (s) { return s.holder_path; })[0];
    return s && { of: page.format(s.bytes, 'bytes') + ' from ' + base(s.file) + ':' + s.line, path: s.holder_path, holder: s.holder };
  }
  function path(a, f, id) {
    var p = f.path, steps = p.steps.slice(), key = 'path-' + id;
    return make('article', { 'class': 'block' }, make('h3', { id: key }, a.resource + ': ' + f.of),
      make('p', { 'class': 'small' }, 'Kept by ' + f.holder + '. ', make('span', { 'class': 'quiet' },
        'It holds ' + (p.share > 0.995 ? 'all ' : percent(p.share) + ' of the ') + page.format(p.objects) + ' objects that were examined, most of them along this path.')),
      all(make('ol', { 'class': 'path', 'aria-labelledby': key }), steps.map(function (s, i) { return step(s, steps[i - 1], i === steps.length - 1); })));
  }
  // What leads on from a step where no field is known.
  var leads = {
    variable: 'what it points to', goroutine: 'a variable on its stack', timers: 'what they call', finalizers: 'what they are for', 'function': 'a variable that it uses',
    object: 'a pointer in it'
  };
  function step(s, before, last) {
    var place = s.file && base(s.file) + ':' + s.line, item = make('li', { 'class': s.accumulates ? 'grows' : undefined });
    item.append(make('span', { 'class': 'what' }, named(s), place && make('span', { 'class': 'quiet', title: s.file },
      ' ' + (last && s.kind === 'object' ? 'allocated at ' : '') + place)));
    if (!before || s.share !== before.share) {
      item.append(' ', make('span', { 'class': 'below quiet' }, percent(s.share) + (s.bytes ? ', ' + page.format(s.bytes, 'bytes') + ' below' : '')));
    }
    if (last) { return item; }
    item.append(' ');
    var on = make('span', { 'class': 'on' }, make('span', { 'aria-hidden': 'true' }, '↓ '), make('span', { 'class': 'hidden' }, 'by '),
      s.reference ? make('code', {}, s.reference) : make('span', { 'class': 'quiet' }, leads[s.variable ? 'variable' : s.kind]));
    var through = [s.container !== s.type && s.container, s.entries && page.format(s.entries) + ' entries'].filter(Boolean).join(', ');
    if (through) { on.append(make('span', { 'class': 'quiet' }, ' ' + through)); }
    if (s.accumulates) { on.append(' ', make('b', { 'class': 'here' }, 'it grows here')); }
    item.append(on);
    return item;
  }
  // named says what a step is.
  function named(s) {
    var e = make('span');
    switch (s.kind) {
      case 'variable': e.append(make('code', {}, s.name), make('span', { 'class': 'quiet' }, s.type ? ' ' + s.type : ' variable')); break;
      case 'goroutine': e.append('goroutine at ', make('code', {}, s.name));
        if (s.variable) { e.append(', in ', make('code', {}, s.variable), make('span', { 'class': 'quiet' }, s.type ? ' ' + s.type : ' variable')); }
        break;
      case 'function': e.append('closure ', make('code', {}, s.name)); break;
      case 'object': e.append(s.type ? make('code', {}, s.type) : 'object'); break;
      default: e.append(s.name);
    }
    if (s.repeated) { e.append(' × ' + page.format(s.repeated)); }
    if (s.size_bytes) { e.append(make('span', { 'class': 'quiet' }, ' ' + page.format(s.size_bytes, 'bytes') + (s.repeated ? ' each' : ''))); }
    return e;
  }

  // kept says what lies where captures are written, and how posting them goes.
  function kept() {
    var k = view.captures_kept, u = view.captures_posted, p = make('p', { 'class': 'quiet small' });
    if (k) {
      p.append('In ' + k.dir + ': ' + (k.files ? page.format(k.files) + ' files, ' + page.format(k.bytes, 'bytes') + ' of ' + page.format(k.max_bytes, 'bytes') + ', the oldest of ' : 'none.'));
      if (k.files) { p.append(at(k.oldest), ', the newest of ', at(k.newest), '.'); }
    }
    if (u) { p.append(' Posted: ' + u.posted + ', waiting ' + u.waiting + ', dropped ' + u.dropped + (u.last_error ? '; ' + u.last_error : '') + '.'); }
    return p;
  }
  function captures() {
    if (!view.captures.length && !(view.captures_kept && view.captures_kept.files)) { return ''; }
    return make('section', {}, make('h2', {}, 'Captures'), make('p', { 'class': 'quiet small' }, 'Profiles for go tool pprof, and goroutines to read (.txt).'), kept(),
      all(make('ul'), view.captures.slice().reverse().map(function (c) {
        var name = base(c.path);
        return make('li', {}, make('a', { href: 'captures/' + encodeURIComponent(name), 'data-id': name, download: '' }, name), ' ',
          make('span', { 'class': 'quiet small' }, c.kind + ' of ' + c.resource + ', ', at(c.time), ', ' + page.format(c.bytes, 'bytes')));
      })));
  }

  function costs() {
    var c = view.cost, e = view.evidence_cost, lasted = (instant(view.now) - instant(view.started)) * 1e6;
    return all(make('section', {}, make('h2', {}, 'What the monitor costs'), facts([
      c.checks && ['Checks', page.format(c.checks)],
      c.checks && ['A check', shortTime(c.elapsed_ns / c.checks)],
      c.checks && ['The longest', shortTime(c.longest_ns)],
      c.checks && lasted > 0 && ['Of one core', percent(c.elapsed_ns / lasted)],
      ['Memory of the plots', page.format(c.history_bytes, 'bytes')],
      e.profiles && ['Profiles', page.format(e.profiles)],
      e.profiles && ['They took', percent(e.share) + ' of a core'],
      e.profiles && ['Longest pause', shortTime(e.longest_pause_ns)]
    ]), e.note && make('p', { 'class': 'small' }, e.note)), view.delivery.map(function (d) {
      if (!d.failed && !d.dropped && !d.waiting && !d.failing && !d.stuck) { return ''; }
      var p = make('p', { 'class': 'small' }, make('span', { 'class': 'warn' }, 'Delivery by ' + d.name + ':'),
        ' ' + d.sent + ' sent, ' + d.failed + ' failed, ' + d.dropped + ' dropped, ' + d.queued + ' waiting' +
        (d.waiting ? ', ' + d.waiting + ' of them refused and offered again while they hold.' : '.'));
      if (d.last_error) { p.append(' ' + d.last_error + ' at ', at(d.last_error_at), '.'); }
      return p;
    }), log());
  }

  function log() {
    var l = view.log;
    if (!l.dropped && !l.panics && !l.stuck && !view.panics) { return ''; }
    return make('p', { 'class': 'small' }, make('span', { 'class': 'warn' }, 'The log:'),
      ' ' + l.written + ' lines written, ' + l.dropped + ' dropped, ' + l.panics + ' panics' + (l.stuck ? '; the logger does not return.' : '.'),
      view.panics ? ' ' + view.panics + ' panics of the source, a hook or evidence.' : '');
  }

  // news is what a screen reader says when it has changed.
  function news() {
    var e = document.getElementById('news');
    if (e.textContent !== view.headline) { e.textContent = view.headline; }
  }
  function show() {
    var known = {};
    view.resources.forEach(function (r) { known[r.resource] = r; });
    var shown = view.shown.map(function (name) { return known[name]; });
    main.replaceChildren();
    all(main, [header(), resources(shown), sites(), paths()].concat(plots(shown), [alerts(), captures(), costs()]));
    page.adopt(main);
    document.title = view.title;
    news();
  }

  // Nothing moves under a hand: not while a value is shown, text is selected, or somebody types with the focus inside.
  function inUse() {
    var s = window.getSelection();
    return page.dragging() || main.querySelector('.tip') !== null || (s !== null && !s.isCollapsed && main.contains(s.anchorNode));
  }
  function mark(text) {
    var e = document.getElementById('stale');
    if (e) { e.textContent = text; }
  }
  function refresh() {
    if (document.hidden || busy || paused || inUse()) { return; }
    busy = true;
    fetch('live' + location.search, { cache: 'no-store' }).then(function (r) {
      if (!r.ok) { throw new Error(r.status); }
      return r.json();
    }).then(function (latest) {
      if (paused || inUse()) { return; }
      var focus = document.activeElement, id = focus && main.contains(focus) ? focus.getAttribute('data-id') || focus.id : '';
      var scrolled = Array.from(main.querySelectorAll('.scroll'), function (e) { return e.scrollLeft; });
      view = latest;
      show();
      main.querySelectorAll('.scroll').forEach(function (e, i) { e.scrollLeft = scrolled[i] || 0; });
      if (id) {
        var again = main.querySelector('[data-id="' + CSS.escape(id) + '"]') || document.getElementById(id);
        if (again) { again.focus({ preventScroll: true }); }
      }
      last = Date.now();
    }).catch(function () {
      mark('No answer for ' + seconds(Math.round((Date.now() - last) / 1000)) + '. ');
    }).finally(function () { busy = false; });
  }

  show();
  setInterval(refresh, Math.max(1000, view.every_ms));
  document.addEventListener('visibilitychange', refresh);
  window.addEventListener('hashchange', function () {
    var to = document.getElementById(decodeURIComponent(location.hash.slice(1))), folded = to && to.closest('details');
    if (folded) {
      folded.open = true;
      to.scrollIntoView();
    }
  });
})();
