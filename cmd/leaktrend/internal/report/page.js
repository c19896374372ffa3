(function () {
  // The filter of the table and its plots. It is kept in the address, so that it can be passed on.
  var form = document.getElementById('filter'), opened = [];
  if (!form) { return; }
  document.querySelectorAll('.scripted').forEach(function (e) { e.hidden = false; });
  var rows = Array.from(document.querySelectorAll('tr[data-of]'));
  var few = 20; // matches are shown unfolded

  function filter() {
    var word = form.elements.verdict.value, text = form.elements.text.value.trim().toLowerCase(), found = [];
    rows.forEach(function (row) {
      var fits = (!word || row.dataset.word === word) && row.dataset.text.toLowerCase().indexOf(text) >= 0;
      var plot = document.getElementById(row.dataset.of + '-b');
      row.hidden = !fits;
      if (plot) { plot.hidden = !fits; }
      if (fits) { found.push(row); if (plot) { found.push(plot); } }
    });
    document.querySelectorAll('main details, section, .scroll').forEach(function (e) {
      e.hidden = !e.querySelector('tr[data-of]:not([hidden]), article:not([hidden])');
    });
    opened.forEach(function (d) { d.open = false; });
    opened = [];
    var matches = rows.filter(function (row) { return !row.hidden; }).length, filtered = word !== '' || text !== '';
    if (filtered && matches <= few) { found.forEach(function (e) { unfold(e, opened); }); }
    form.elements.count.value = filtered ? matches + ' of ' + rows.length : '';
  }
  function unfold(e, list) {
    for (var d = e.closest('details'); d; d = d.parentNode.closest('details')) {
      if (!d.open) { d.open = true; list.push(d); }
    }
  }
  function remember() {
    var q = new URLSearchParams();
    ['verdict', 'text'].forEach(function (name) { if (form.elements[name].value) { q.set(name, form.elements[name].value); } });
    try { history.replaceState(null, '', '#' + (q.toString() && '?' + q)); } catch (e) { /* the page is where it has no history */ }
  }
  // follow does what the address says: a filter, or a plot, which is shown whatever was filtered and folded.
  function follow() {
    var to = location.hash.slice(1), q = new URLSearchParams(to[0] === '?' ? to.slice(1) : '');
    var target = to && to[0] !== '?' && document.getElementById(to);
    if (to[0] === '?' || target && target.hidden) {
      form.elements.verdict.value = q.get('verdict') || '';
      form.elements.text.value = q.get('text') || '';
      filter();
    }
    if (target) {
      unfold(target, []);
      target.scrollIntoView();
    }
  }
  form.addEventListener('input', function () { filter(); remember(); });
  form.addEventListener('submit', function (e) { e.preventDefault(); });
  window.addEventListener('hashchange', follow);
  filter();
  follow();
})();
