// A healthy node HTTP service: renders a page from a template, reads a file for each request, and keeps the pages in a
// cache with a bound.
//
//   node service.js PORT [LEAK-SHARE [LEAK-AFTER]]
//
// With LEAK-SHARE that share of the requests opens the file once more and forgets to close it; LEAK-AFTER is in seconds.
'use strict';
const fs = require('fs');
const http = require('http');

const port = Number(process.argv[2] || 0);
const leakShare = Number(process.argv[3] || 0);
const leakAfter = Number(process.argv[4] || 0);
const cap = 2000;
const pages = new Map(); // in the order of use

function render(key, text) {
  const rows = [];
  for (let i = 0; i < 200; i++) rows.push(`<tr><td>${key}</td><td>${i}</td><td>${text.length}</td></tr>`);
  return rows.join('\n');
}

function page(key, text) {
  const cached = pages.get(key);
  pages.delete(key);
  const body = cached || render(key, text);
  pages.set(key, body);
  if (pages.size > cap) pages.delete(pages.keys().next().value);
  return body;
}

let begun = false;
const server = http.createServer((req, res) => {
  const key = req.url.split('=')[1] || '';
  if (process.uptime() >= leakAfter && Math.random() < leakShare) {
    fs.openSync(__filename);
    if (!begun) console.log('leak begins', new Date().toISOString());
    begun = true;
  }
  fs.readFile(__filename, 'utf8', (err, text) => {
    if (err) {
      res.statusCode = 500;
      return res.end();
    }
    res.end(page(key, text));
  });
});
server.keepAliveTimeout = 20000;
server.listen(port, '127.0.0.1');
