"""One app, many shapes of WSGI answers: the path says which."""

import io
import os
import resource
import socket
import sys
import time


class Closing:
    """An iterable that writes into the log when it is closed."""

    def __init__(self, pieces, name):
        self.pieces, self.name = iter(pieces), name

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.pieces)

    def close(self):
        print("closed %s" % self.name, flush=True)


def plain(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"plain"]


def dump(environ, start_response):
    lines = "".join("%s=%r\n" % (k, environ[k]) for k in sorted(environ) if isinstance(environ[k], str))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [lines.encode()]


def echo(environ, start_response):
    data = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "application/octet-stream"), ("X-Length", environ.get("CONTENT_LENGTH", "none"))])
    return [data]


def lines(environ, start_response):
    source = environ["wsgi.input"]
    parts = [source.readline(), source.readline(3), b"|", source.read(0), b"|"] + source.readlines()
    start_response("200 OK", [])
    return [b",".join(parts)]


def unread(environ, start_response):
    start_response("200 OK", [("Content-Length", "6")])
    return [b"unread"]


def stream(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    pieces = [b"piece %d\n" % n for n in range(5)]
    return Closing(pieces, "stream")


def slow_stream(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])

    def produce():
        for n in range(5):
            yield b"piece %d\n" % n
            time.sleep(0.3)

    return produce()


def big(environ, start_response):
    count = int(environ["QUERY_STRING"] or 1)
    start_response("200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", str(count * 65536))])
    return (b"%c" % (97 + n % 26) * 65536 for n in range(count))


def endless(environ, start_response):
    """As many pieces as the query says, and not how many bytes they are."""
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return (b"%c" % (97 + n % 26) * 65536 for n in range(int(environ["QUERY_STRING"])))


def write(environ, start_response):
    w = start_response("200 OK", [("Content-Type", "text/plain")])
    w(b"written ")
    w(b"twice ")
    return [b"and returned"]


def raises(environ, start_response):
    raise RuntimeError("raised on purpose")


def raises_late(environ, start_response):
    """When the client has seen the first piece: when the file that the query names is there."""
    start_response("200 OK", [("Content-Type", "text/plain")])

    def produce():
        yield b"first piece"
        while not os.path.exists(environ["QUERY_STRING"]):
            time.sleep(0.01)
        raise RuntimeError("raised late on purpose")

    return produce()


def late(environ, start_response):
    """The client has all of it, and the app is not done until the file that the query names is there."""
    start_response("500 Late", [("Content-Length", "5")])
    yield b"late\n"
    while not os.path.exists(environ["QUERY_STRING"]):
        time.sleep(0.01)


def raises_after_much(environ, start_response):
    """More than a lane holds: the client has seen some of it when it fails."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    for _ in range(8):
        yield b"x" * 65536
    raise RuntimeError("raised after much on purpose")


def exc_info(environ, start_response):
    start_response("200 OK", [("X-Old", "1")])
    try:
        raise ValueError("replaced on purpose")
    except ValueError:
        start_response("500 Replaced", [("X-New", "1")], sys.exc_info())
    return [b"replaced"]


def twice(environ, start_response):
    start_response("200 OK", [])
    start_response("200 OK", [])
    return [b"never"]


def never(environ, start_response):
    return [b"no start_response"]


def text_items(environ, start_response):
    start_response("200 OK", [])
    return ["text, not bytes"]


def bad_header(environ, start_response):
    start_response("200 OK", [("X-Bad", "a\r\nInjected: yes")])
    return [b"never"]


def hop(environ, start_response):
    start_response("200 OK", [("Connection", "close")])
    return [b"never"]


def short(environ, start_response):
    start_response("200 OK", [("Content-Length", "100")])
    return [b"short"]


def short_late(environ, start_response):
    start_response("200 OK", [("Content-Length", "100")])

    def produce():
        yield b"short"
        time.sleep(0.3)

    return produce()


def long(environ, start_response):
    start_response("200 OK", [("Content-Length", "4")])
    return [b"long answer"]


def no_content(environ, start_response):
    start_response("204 No Content", [])
    return []


def file(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return environ["wsgi.file_wrapper"](open(__file__, "rb"), 4096)


def file_bytes(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return environ["wsgi.file_wrapper"](io.BytesIO(b"x" * 100000))


def exits(environ, start_response):
    sys.exit(3)


def crash(environ, start_response):
    import ctypes

    ctypes.string_at(0)


def die(environ, start_response):
    os.kill(os.getpid(), 9)


def sleep(environ, start_response):
    time.sleep(float(environ["QUERY_STRING"] or 0))
    start_response("200 OK", [])
    return [b"slept"]


def errors(environ, start_response):
    environ["wsgi.errors"].write("said to wsgi.errors\n")
    print("said to stdout")
    start_response("200 OK", [])
    return [b"said"]


def pid(environ, start_response):
    start_response("200 OK", [])
    return [b"%d" % os.getpid()]


def loaded(environ, start_response):
    """Which process has loaded what the first request needs, and which one answers."""
    if not by:
        by.append(os.getpid())
    start_response("200 OK", [])
    return [b"%d %d" % (by[0], os.getpid())]


def grow(environ, start_response):
    mebibytes, _, seconds = environ["QUERY_STRING"].partition("&")
    kept.append(bytearray(int(mebibytes) << 20))
    time.sleep(float(seconds or 0))
    start_response("200 OK", [])
    return [b"%d" % os.getpid()]


def open_socket(environ, start_response):
    kept.append(socket.socket())
    start_response("200 OK", [])
    return [b"open"]


def limits(environ, start_response):
    start_response("200 OK", [])
    names = ("RLIMIT_NOFILE", "RLIMIT_AS", "RLIMIT_NPROC")
    return [" ".join("%d" % resource.getrlimit(getattr(resource, n))[0] for n in names).encode()]


def hold(environ, start_response):
    """Works until the file that the query names is there."""
    print("holding", flush=True)
    while not os.path.exists(environ["QUERY_STRING"]):
        time.sleep(0.01)
    start_response("200 OK", [])
    return [b"held"]


def note(environ, start_response):
    print("noted %s" % environ["QUERY_STRING"], flush=True)
    start_response("200 OK", [])
    return [environ["QUERY_STRING"].encode()]


def flood(environ, start_response):
    """An answer without end."""

    def produce():
        while True:
            yield b"f" * 65536
            time.sleep(0.005)

    start_response("200 OK", [])
    return Closing(produce(), "flood")


def count(environ, start_response):
    """How many bytes came, and their digest; holds none of them."""
    import hashlib

    digest, n = hashlib.md5(), 0
    while True:
        piece = environ["wsgi.input"].read(65536)
        if not piece:
            break
        n += len(piece)
        digest.update(piece)
    start_response("200 OK", [])
    return [b"%d %s" % (n, digest.hexdigest().encode())]


kept, by = [], []
SHAPES = {"/" + name: f for name, f in list(globals().items()) if callable(f) and name != "Closing"}


def application(environ, start_response):
    return SHAPES.get(environ["PATH_INFO"], plain)(environ, start_response)


def validated(environ, start_response):
    return _validated(environ, start_response)


from wsgiref.validate import validator  # noqa: E402


@validator
def _validated(environ, start_response):
    # the validator wants reads with a size and a Content-Type with every body
    data = environ["wsgi.input"].read(100)
    headers = [("Content-Type", "text/plain")]
    path = environ["PATH_INFO"]
    if path == "/write":
        start_response("200 OK", headers)(b"written")
        return [b" and returned"]
    if path == "/stream":
        start_response("200 OK", headers)
        return iter([b"a", b"b", b"c"])
    if path == "/exc":
        try:
            raise ValueError("on purpose")
        except ValueError:
            start_response("500 Failed", headers, sys.exc_info())
        return [b"failed"]
    if path == "/lines":
        source = environ["wsgi.input"]
        start_response("200 OK", headers)
        return [data, source.readline(5), b"".join(source.readlines()), b"".join(source)]
    environ["wsgi.errors"].write("validated\n")
    start_response("200 OK", headers)
    return [b"valid ", data]
