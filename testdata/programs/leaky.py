#!/usr/bin/env python3
"""An HTTP service that leaks memory: a cache without a bound (functools.lru_cache(maxsize=None)) on a function whose
argument is different for nearly every request. With --maxsize it has a bound, and is healthy.
"""
import argparse
import functools
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--maxsize", type=int, default=None, help="entries of the cache; none = no bound")
    p.add_argument("--leak-after", type=float, default=0, metavar="SECONDS")
    p.add_argument("--bytes", type=int, default=3000, help="size of an entry")
    args = p.parse_args()
    start = time.monotonic()
    begun = False

    @functools.lru_cache(maxsize=args.maxsize)
    def profile(user):
        return os.urandom(args.bytes)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def do_GET(self):
            nonlocal begun
            user = self.path.rsplit("=", 1)[-1]
            if time.monotonic() - start < args.leak_after:
                user = int(user) % 500
            elif not begun:
                begun = True
                print("leak begins", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), flush=True)
            body = profile(user)[:1000].hex().encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    ThreadingHTTPServer(("127.0.0.1", args.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
