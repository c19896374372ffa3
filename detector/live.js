(function () {
  var main = document.getElementById('live'), every = Math.max(1000, +main.dataset.every), last = Date.now(), busy = false;

  // Nothing moves under a hand: not while a value is shown, text is selected, or somebody types with the focus inside.
  function inUse() {
    var s = window.getSelection();
    return main.querySelector('.tip') !== null || (s !== null && !s.isCollapsed && main.contains(s.anchorNode));
  }
  function mark(text) {
    var e = document.getElementById('stale');
    if (e) { e.textContent = text; }
  }
  function refresh() {
    if (document.hidden || busy || inUse()) { return; }
    busy = true;
    fetch('live' + location.search, { cache: 'no-store' }).then(function (r) {
      if (!r.ok) { throw new Error(r.status); }
      return r.text();
    }).then(function (text) {
      if (inUse()) { return; }
      var at = document.activeElement, id = at && main.contains(at) ? at.getAttribute('data-id') || at.id : '';
      var scrolled = Array.from(main.querySelectorAll('.scroll'), function (e) { return e.scrollLeft; });
      main.innerHTML = text;
      window.leaktrend.localize(main);
      main.querySelectorAll('.scroll').forEach(function (e, i) { e.scrollLeft = scrolled[i] || 0; });
      if (id) {
        var again = main.querySelector('[data-id="' + CSS.escape(id) + '"]') || document.getElementById(id);
        if (again) { again.focus({ preventScroll: true }); }
      }
      var title = main.querySelector('h1');
      if (title) { document.title = title.dataset.title; }
      last = Date.now();
    }).catch(function () {
      mark('No answer for ' + window.leaktrend.format(Math.round((Date.now() - last) / 1000), 'seconds') + '. ');
    }).finally(function () { busy = false; });
  }
  setInterval(refresh, every);
  document.addEventListener('visibilitychange', refresh);
})();
