'use strict';
(function () {
  var names = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
  function two(n) { return (n < 10 ? '0' : '') + n; }

  // Times, in the zone of whoever looks.
  function zone(t) {
    try {
      var parts = new Intl.DateTimeFormat('en', { timeZoneName: 'short' }).formatToParts(t);
      for (var i = 0; i < parts.length; i++) { if (parts[i].type === 'timeZoneName') { return parts[i].value; } }
    } catch (e) { /* an old browser: the offset below */ }
    var m = -t.getTimezoneOffset();
    return 'UTC' + (m < 0 ? '-' : '+') + two(Math.floor(Math.abs(m) / 60)) + ':' + two(Math.abs(m) % 60);
  }
  function clock(t, seconds) { return two(t.getHours()) + ':' + two(t.getMinutes()) + (seconds ? ':' + two(t.getSeconds()) : ''); }
  function day(t) { return names[t.getMonth()] + ' ' + t.getDate(); }
  function write(t, as) {
    var midnight = t.getHours() + t.getMinutes() + t.getSeconds() === 0;
    switch (as) {
      case 'zone': return zone(t);
      case 'day': return midnight ? day(t) : day(t) + ' ' + clock(t);
      case 'minute': return midnight ? day(t) : clock(t);
      case 'second': return clock(t, true);
    }
    return t.getFullYear() + '-' + two(t.getMonth() + 1) + '-' + two(t.getDate()) + ' ' + clock(t, true);
  }
  function localize(root) {
    root.querySelectorAll('[data-at]').forEach(function (e) {
      e.textContent = write(new Date(+e.getAttribute('data-at')), e.getAttribute('data-as'));
    });
  }

  // Numbers as the rest of the page writes them.
  function grouped(v) { return Math.round(v).toString().replace(/\B(?=(\d{3})+$)/g, ','); }
  function count(v) {
    if (v < 0) { return '-' + count(-v); }
    if (v >= 1e15) { return v.toExponential(3).replace(/\.?0+e/, 'e'); }
    return v >= 10 || v === Math.trunc(v) ? grouped(v) : String(+v.toPrecision(2));
  }
  function bytes(v) {
    if (v < 0) { return '-' + bytes(-v); }
    var units = ['B', 'KB', 'MB', 'GB', 'TB', 'PB', 'EB'], i = 0;
    while (v >= 1023.5 && i < units.length - 1) { v /= 1024; i++; }
    return (i > 0 && (v < 9.95 || v < 99.95 && v !== Math.trunc(v)) ? v.toFixed(1) : v.toFixed(0)) + ' ' + units[i];
  }
  function length(v) {
    if (v < 0) { return '-' + length(-v); }
    function twoUnits(large, small, a, b) {
      var n = Math.round(v / small), rest = n % (large / small);
      return Math.floor(n * small / large) + a + (rest > 0 ? ' ' + rest + b : '');
    }
    if (v >= 9223372036) { return count(v) + 's'; }
    if (v > 86400000) { return Math.floor(v / 86400) + 'd'; }
    if (v >= 86400 - 1800) { return twoUnits(86400, 3600, 'd', 'h'); }
    if (v >= 3600 - 30) { return twoUnits(3600, 60, 'h', 'm'); }
    if (v >= 60 - .5) { return twoUnits(60, 1, 'm', 's'); }
    function one(v, unit) { return (v >= 10 ? Math.round(v) : +v.toFixed(1)) + unit; }
    if (v >= 1 - .0005) { return one(v, 's'); }
    if (v >= .001 - .0000005) { return one(v * 1e3, 'ms'); }
    if (v >= .000001) { return one(v * 1e6, 'µs'); }
    return v > 0 ? Math.round(v * 1e9) + 'ns' : '0s';
  }
  function format(v, unit) { return unit === 'bytes' ? bytes(v) : unit === 'seconds' ? length(v) : count(v); }

  // What the columns of a plot hold, from its attributes.
  var known = new WeakMap();
  function columns(svg) {
    var c = known.get(svg);
    if (c) { return c; }
    var d = svg.dataset, scale = +d.scale;
    function list(text, by) {
      var sum = 0;
      return text === undefined ? null : text.split(' ').map(function (n) { sum += +n; return sum * by; });
    }
    c = { t: list(d.t, +d.ms), v: list(d.v, scale), r: list(d.r, scale), b: list(d.b, scale), d: list(d.d, scale),
      ff: list(d.ff, +d.ms), ft: list(d.ft, +d.ms), fv: list(d.fv, scale) };
    known.set(svg, c);
    return c;
  }

  var shown = null; // the plot with a tip, and its column
  function hide() {
    if (!shown) { return; }
    shown.parts.forEach(function (e) { e.remove(); });
    shown = null;
  }
  function part(svg, name, attributes) {
    var e = document.createElementNS('http://www.w3.org/2000/svg', name);
    for (var k in attributes) { e.setAttribute(k, attributes[k]); }
    svg.appendChild(e);
    return e;
  }
  // shownOf returns the part of the time that a plot shows.
  function shownOf(svg) {
    var d = svg.dataset;
    return d.nowFrom === undefined ? { from: +d.from, to: +d.to } : { from: +d.nowFrom, to: +d.nowTo };
  }
  function within(svg, i) {
    var t = columns(svg).t, now = shownOf(svg), low = 0, high = t.length - 1;
    while (low < high && t[low] < now.from) { low++; }
    while (high > low && t[high] > now.to) { high--; }
    return Math.max(low, Math.min(i, high));
  }
  // words are what a column holds: the value, what else there is, and the time.
  function words(svg, i) {
    var c = columns(svg), unit = svg.dataset.unit, t = new Date(c.t[i]), low = c.v[i], high = low + (c.r ? c.r[i] : 0);
    var value = format(low, unit), rest = [];
    if (format(high, unit) !== value) { value += ' to ' + format(high, unit); }
    if (c.b) { rest.push('baseline ' + format(c.b[i], unit) + ' ± ' + format(c.d[i], unit)); }
    if (c.ff) {
      for (var k = c.ff.length - 1; k >= 0; k--) {
        if (c.ff[k] <= c.t[i] && c.t[i] <= c.ft[k]) { rest.push('minimum ' + format(c.fv[k], unit)); break; }
      }
    }
    return { low: low, high: high, value: value, rest: rest, time: write(t, 'full') + ' ' + zone(t) };
  }
  // say has a screen reader read a column, as the value of the plot.
  function say(svg, i) {
    var w = words(svg, i);
    svg.setAttribute('aria-valuenow', i);
    svg.setAttribute('aria-valuetext', [w.value].concat(w.rest, w.time).join(', '));
  }
  function show(svg, i) {
    var c = columns(svg), d = svg.dataset, now = shownOf(svg);
    i = within(svg, i);
    if (shown && shown.svg === svg && shown.i === i) { return; }
    hide();
    var w = words(svg, i), x = 100 * (c.t[i] - now.from) / (now.to - now.from);
    function y(v) { return +d.bottom - (d.bottom - d.top) * (v - d.low) / (d.high - d.low); }
    var parts = [part(svg, 'line', { 'class': 'cross', x1: x + '%', x2: x + '%', y1: d.top, y2: d.bottom })];
    [w.low, w.high].forEach(function (v) { parts.push(part(svg, 'circle', { 'class': 'at-pointer', cx: x + '%', cy: y(v), r: 3.5 })); });

    var tip = document.createElement('div');
    tip.className = 'tip';
    tip.setAttribute('aria-hidden', 'true'); // it is said as the value of the plot
    function line(tag, text) { var e = document.createElement(tag); e.textContent = text; tip.appendChild(e); }
    line('b', w.value);
    w.rest.forEach(function (text) { line('div', text); });
    line('span', w.time);
    svg.parentNode.appendChild(tip);
    var box = svg.getBoundingClientRect(), outer = svg.parentNode.getBoundingClientRect();
    var left = box.left - outer.left + box.width * x / 100 + 12;
    if (left + tip.offsetWidth > outer.width) { left -= tip.offsetWidth + 24; }
    tip.style.left = Math.max(0, left) + 'px';
    tip.style.top = (box.top - outer.top + 34) + 'px';
    parts.push(tip);
    shown = { svg: svg, i: i, parts: parts };
  }
  function nearest(svg, clientX) {
    var c = columns(svg), now = shownOf(svg), box = svg.getBoundingClientRect();
    var at = now.from + (now.to - now.from) * (clientX - box.left) / box.width;
    var low = 0, high = c.t.length - 1;
    while (low < high) {
      var middle = (low + high) >> 1;
      if (c.t[middle] < at) { low = middle + 1; } else { high = middle; }
    }
    return low > 0 && at - c.t[low - 1] < c.t[low] - at ? low - 1 : low;
  }
  function plotOf(target) { return target && target.closest ? target.closest('svg.plot[data-t]') : null; }

  document.addEventListener('pointermove', function (e) {
    var svg = plotOf(e.target);
    if (svg) { show(svg, nearest(svg, e.clientX)); } else if (shown && shown.svg !== document.activeElement) { hide(); }
  });
  document.addEventListener('pointerdown', function (e) {
    var svg = plotOf(e.target);
    if (svg) { show(svg, nearest(svg, e.clientX)); } else { hide(); }
  });

  // All plots, and what plots are folded behind, are one stop of the tab key: the next after wherever the focus is. Up
  // and down lead from one to the next.
  function seen(e) { return e.checkVisibility ? e.checkVisibility() : e.getClientRects().length > 0; }
  function stops() {
    return Array.from(document.querySelectorAll('svg.plot[data-t],summary')).filter(function (e) {
      return e.tagName !== 'SUMMARY' || e.parentNode.querySelector('svg.plot[data-t]');
    });
  }
  function stopAt(place) {
    var all = stops(), visible = all.filter(seen), stop = visible.find(function (p) {
      return p === place || place.contains(p) || (place.compareDocumentPosition(p) & Node.DOCUMENT_POSITION_FOLLOWING) !== 0;
    }) || visible[visible.length - 1];
    all.forEach(function (p) {
      var index = p === stop ? '0' : '-1';
      if (p.getAttribute('tabindex') !== index) { p.setAttribute('tabindex', index); }
    });
  }
  function target() { return location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1))) || document.body; }
  function focused() { return document.activeElement && document.activeElement !== document.body ? document.activeElement : null; }
  document.addEventListener('focusin', function (e) { stopAt(e.target); });
  document.addEventListener('toggle', function (e) { stopAt(focused() || e.target); }, true);
  window.addEventListener('hashchange', function () { stopAt(target()); });

  // adopt makes plots under an element answer, and writes its times in the zone of whoever looks. A plot is a slider
  // over its columns, so that screen readers leave it the arrow keys and read the value that they lead to.
  function adopt(root) {
    localize(root);
    root.querySelectorAll('svg.plot[data-t]').forEach(function (svg) {
      var last = columns(svg).t.length - 1;
      svg.setAttribute('role', 'slider');
      svg.setAttribute('aria-valuemin', 0);
      svg.setAttribute('aria-valuemax', last);
      svg.setAttribute('aria-readonly', 'true');
      say(svg, last);
    });
    stopAt(focused() || target());
  }

  document.addEventListener('keydown', function (e) {
    var svg = plotOf(document.activeElement);
    if (e.ctrlKey || e.metaKey || e.altKey) { return; }
    if (e.key === 'ArrowUp' || e.key === 'ArrowDown') {
      var all = stops().filter(seen), here = all.indexOf(document.activeElement), next = all[here + (e.key === 'ArrowUp' ? -1 : 1)];
      if (here < 0) { return; }
      e.preventDefault();
      if (next) {
        next.focus({ preventScroll: true });
        next.scrollIntoView({ block: 'center' });
      }
      return;
    }
    if (!svg) { return; }
    var last = columns(svg).t.length - 1, i = shown && shown.svg === svg ? shown.i : last;
    var page = Math.max(1, Math.round(last / 10));
    switch (e.key) {
      case 'ArrowLeft': i -= e.shiftKey ? page : 1; break;
      case 'ArrowRight': i += e.shiftKey ? page : 1; break;
      case 'PageUp': i -= page; break;
      case 'PageDown': i += page; break;
      case 'Home': i = 0; break;
      case 'End': i = last; break;
      case 'Escape': hide(); return;
      default: return;
    }
    e.preventDefault();
    i = within(svg, i);
    say(svg, i);
    show(svg, i);
  });
  document.addEventListener('focusout', hide);

  function at(svg) {
    var t = columns(svg).t;
    return t[shown && shown.svg === svg ? shown.i : t.length - 1];
  }
  window.leaktrend = { adopt: adopt, format: format, write: write, plotOf: plotOf, shownOf: shownOf, at: at, part: part, hide: hide };
  adopt(document);
})();
