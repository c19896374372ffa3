(function () {
  // A part of the time, enlarged in all plots of a group: what has data-group, or the figure alone. It is kept for
  // groups that are drawn anew, by their ids.
  var page = window.leaktrend, windows = {}, drag = null, fingers = [];
  var steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 432000, 864000, 1728000, 4320000];
  var day = 86400, least = 1e-3; // of the time, beyond which nothing is enlarged

  function group(svg) { return svg.closest('[data-group]') || svg.parentNode; }
  function plots(root) { return Array.from(root.querySelectorAll('svg.plot[data-t]')); }
  function whole(svg) { return { from: +svg.dataset.from, to: +svg.dataset.to }; }

  // place moves what was drawn at a share of the whole time.
  function place(e, name, full, now) {
    var first = e.getAttribute('data-first') || e.getAttribute(name);
    e.setAttribute('data-first', first);
    var at = full.from + (full.to - full.from) * parseFloat(first) / 100, share = 100 * (at - now.from) / (now.to - now.from);
    e.setAttribute(name, share + '%');
    e.classList.toggle('outside', share < -.01 || share > 100.01);
  }
  // turn has the label of a mark stand on the side that has room for it.
  function turn(e, width) {
    var at = e.getAttribute('data-dx') || e.getAttribute('dx'), gap = Math.abs(at);
    e.setAttribute('data-dx', at);
    var end = at < 0, zoomed = width > 0, x = parseFloat(e.getAttribute('x')) * width / 100;
    if (zoomed) { end = x + gap + e.getComputedTextLength() > width; }
    e.setAttribute('text-anchor', end ? 'end' : 'start');
    e.setAttribute('dx', end ? -gap : gap);
  }
  function ticks(svg, now) {
    var most = Math.max(2, Math.min(6, (svg.getBoundingClientRect().width || 720) / 65));
    var step = steps.find(function (s) { return (now.to - now.from) / 1000 / s <= most; }) || steps[steps.length - 1];
    var t = new Date(now.from), as = step >= day ? 'day' : step < 60 ? 'second' : 'minute';
    t.setHours(0, 0, 0, 0);
    for (var midnight = t.getTime(), k = 0, at = midnight; at <= now.to; k++, at = midnight + 1000 * step * k) {
      if (at < now.from && step < day) { k = Math.max(k, Math.floor((now.from - midnight) / 1000 / step)); }
      if (at < now.from) { continue; }
      var e = document.createElementNS('http://www.w3.org/2000/svg', 'text'), share = 100 * (at - now.from) / (now.to - now.from);
      if (share > 90) { break; } // the zone stands there
      e.setAttribute('class', 't-muted tick');
      e.setAttribute('x', share + '%');
      e.setAttribute('y', +svg.dataset.bottom + 16);
      e.setAttribute('text-anchor', share < 4 ? 'start' : 'middle');
      e.textContent = page.write(new Date(at), as);
      svg.appendChild(e);
    }
  }
  function apply(svg, wanted) {
    var full = whole(svg), now = wanted && wanted.from < full.to && wanted.to > full.from ? wanted : full, zoomed = now !== full;
    var lines = svg.querySelector('svg[viewBox]'), box = lines.getAttribute('data-first') || lines.getAttribute('viewBox');
    lines.setAttribute('data-first', box);
    var width = +box.split(' ')[2], height = box.split(' ')[3], scale = width / (full.to - full.from);
    lines.setAttribute('viewBox', [(now.from - full.from) * scale, 0, (now.to - now.from) * scale, height].join(' '));
    svg.querySelectorAll('.tick').forEach(function (e) { e.remove(); });
    Array.from(svg.children).forEach(function (e) {
      if (e === lines || e.classList.contains('edge')) { return; }
      if (e.hasAttribute('cx')) { place(e, 'cx', full, now); } else if (e.hasAttribute('x')) { place(e, 'x', full, now); }
      if (e.hasAttribute('dx')) { turn(e, zoomed ? svg.getBoundingClientRect().width : 0); }
      if (e.hasAttribute('data-at')) { e.classList.toggle('replaced', zoomed); }
    });
    if (zoomed) {
      svg.dataset.nowFrom = now.from;
      svg.dataset.nowTo = now.to;
      if (svg.querySelector('.edge[data-at]')) { ticks(svg, now); }
    } else {
      delete svg.dataset.nowFrom;
      delete svg.dataset.nowTo;
    }
  }
  function set(svg, wanted) {
    var g = group(svg), full = whole(svg);
    page.hide();
    if (wanted) {
      wanted = { from: Math.max(full.from, wanted.from), to: Math.min(full.to, wanted.to) };
      if (wanted.to - wanted.from < least * (full.to - full.from)) { return; }
      if (wanted.from <= full.from && wanted.to >= full.to) { wanted = null; }
    }
    if (wanted) { windows[g.id] = wanted; } else { delete windows[g.id]; }
    plots(g).forEach(function (p) { apply(p, wanted); });
    offer();
  }
  // offer shows the way back while anything is enlarged.
  function offer() {
    var there = document.querySelector('.unzoom'), zoomed = document.querySelector('svg.plot[data-now-from]');
    if (!zoomed) {
      if (there) { there.remove(); }
      return;
    }
    if (there) { return; }
    var b = document.createElement('button');
    b.type = 'button';
    b.className = 'unzoom';
    b.setAttribute('data-id', 'unzoom');
    b.textContent = 'Show the whole time';
    b.addEventListener('click', all);
    document.querySelector('main').appendChild(b);
  }
  function all() {
    document.querySelectorAll('svg.plot[data-now-from]').forEach(function (svg) { set(svg, null); });
    windows = {};
    offer();
  }

  function share(svg, clientX) {
    var box = svg.getBoundingClientRect();
    return Math.min(1, Math.max(0, (clientX - box.left) / box.width));
  }
  document.addEventListener('pointerdown', function (e) {
    var svg = page.plotOf(e.target);
    if (!svg || e.button !== 0) { return; }
    if (e.pointerType === 'touch') { // of one finger the page shows the values under it
      touch(e, svg);
      return;
    }
    drag = { svg: svg, from: share(svg, e.clientX), part: null };
  });
  // Two fingers: the times under them stay under them, so that they enlarge, reduce and move what is shown.
  var apart = 20; // pixels between them, below which they are one
  function touch(e, svg) {
    if (e.isPrimary) { fingers = []; }
    if (fingers.length && group(fingers[0].svg) !== group(svg)) { return; }
    var now = page.shownOf(svg);
    fingers.push({ id: e.pointerId, svg: svg, x: e.clientX, at: now.from + (now.to - now.from) * share(svg, e.clientX) });
  }
  function lift(e) { fingers = fingers.filter(function (f) { return f.id !== e.pointerId; }); }
  function pinch(e) {
    fingers.forEach(function (f) { if (f.id === e.pointerId) { f.x = e.clientX; } });
    if (fingers.length !== 2) { return; }
    var left = fingers[0].x < fingers[1].x ? fingers[0] : fingers[1], right = fingers[0] === left ? fingers[1] : fingers[0];
    var wide = left.svg.getBoundingClientRect().width, full = whole(left.svg), perPixel = (right.at - left.at) / (right.x - left.x);
    if (right.x - left.x < apart || !(perPixel > 0)) { return; }
    var span = Math.min(perPixel * wide, full.to - full.from), from = left.at - span * share(left.svg, left.x);
    from = Math.max(full.from, Math.min(from, full.to - span));
    set(left.svg, { from: from, to: from + span });
  }
  document.addEventListener('pointermove', function (e) {
    if (e.pointerType === 'touch') { pinch(e); }
    if (!drag) { return; }
    var to = share(drag.svg, e.clientX);
    if (!drag.part) { drag.part = page.part(drag.svg, 'rect', { 'class': 'chosen', y: drag.svg.dataset.top, height: drag.svg.dataset.bottom - drag.svg.dataset.top }); }
    drag.part.setAttribute('x', 100 * Math.min(drag.from, to) + '%');
    drag.part.setAttribute('width', 100 * Math.abs(to - drag.from) + '%');
  });
  function drop(e) {
    if (!drag) { return; }
    var d = drag, to = share(d.svg, e.clientX), now = page.shownOf(d.svg);
    drag = null;
    if (d.part) { d.part.remove(); }
    if (e.type === 'pointercancel' || Math.abs(to - d.from) * d.svg.getBoundingClientRect().width < 8) { return; }
    function at(s) { return now.from + (now.to - now.from) * s; }
    set(d.svg, { from: at(Math.min(d.from, to)), to: at(Math.max(d.from, to)) });
  }
  ['pointerup', 'pointercancel'].forEach(function (name) {
    document.addEventListener(name, lift);
    document.addEventListener(name, drop);
  });
  document.addEventListener('dblclick', function (e) {
    var svg = page.plotOf(e.target);
    if (svg) { set(svg, null); }
  });
  document.addEventListener('keydown', function (e) {
    var svg = page.plotOf(document.activeElement);
    if (!svg || e.ctrlKey || e.metaKey || e.altKey) { return; }
    var now = page.shownOf(svg), middle = Math.min(now.to, Math.max(now.from, page.at(svg))), half = (now.to - now.from) / 2;
    switch (e.key) {
      case '+': case '=': half /= 2; break;
      case '-': half *= 2; break;
      case '0': set(svg, null); return;
      default: return;
    }
    e.preventDefault();
    var full = whole(svg), from = Math.max(full.from, Math.min(middle - half, full.to - 2 * half));
    set(svg, { from: from, to: from + 2 * half });
  });

  var adopt = page.adopt;
  page.adopt = function (root) {
    adopt(root);
    plots(root).forEach(function (svg) {
      var w = windows[group(svg).id];
      if (w) { apply(svg, w); }
    });
    offer();
  };
  page.dragging = function () { return drag !== null || fingers.length > 1; };
})();
