"""Every shape an answer can have under PEP 3333, by path. `checked` is the same behind wsgiref's validator."""
import io
import os
import signal
import sys
import tempfile
import threading
import time
from wsgiref.validate import validator

closed = []


class Closing:
    """An iterable that remembers that it was closed."""

    def __init__(self, items, fail_at=None):
        self.items = iter(items)
        self.fail_at = fail_at
        self.count = 0

    def __iter__(self):
        return self

    def __next__(self):
        if self.count == self.fail_at:
            raise ValueError("broken in the middle")
        self.count += 1
        return next(self.items)

    def close(self):
        closed.append("closed")


def plain(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"plain"]


def two(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"one,", b"", b"two"]


def empty(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return []


def bare_bytes(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return b"bare"


def generator(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b""
    for i in range(3):
        yield b"part %d," % i


def late_start(environ, start_response):
    yield b""
    start_response("202 Accepted", [("Content-Type", "text/plain")])
    yield b"late"


def writes(environ, start_response):
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    write(b"written,")
    write(b"twice,")
    return [b"returned"]


def closing(environ, start_response):
    del closed[:]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return Closing([b"a", b"b"])


def closing_broken(environ, start_response):
    del closed[:]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return Closing([b"a", b"b"], fail_at=1)


def endless(environ, start_response):
    del closed[:]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return Closing(iter(lambda: b"e" * 1000, None))


def was_closed(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d" % len(closed)]


def raises(environ, start_response):
    raise RuntimeError("on purpose")


def raises_after_start(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    raise RuntimeError("after start_response")


def error_page(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    try:
        raise KeyError("replaced")
    except KeyError:
        start_response("500 Oops", [("Content-Type", "text/plain")], sys.exc_info())
    return [b"error page"]


def no_exc_info(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")], sys.exc_info())
    start_response("202 Accepted", [("Content-Type", "text/plain")], (None, None, None))
    return [b"nothing raised"]


def no_exc_info_too_late(environ, start_response):
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    write(b"begun")
    start_response("202 Accepted", [("Content-Type", "text/plain")], sys.exc_info())
    return [b"never"]


def error_too_late(environ, start_response):
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    write(b"begun")
    try:
        raise KeyError("the original one")
    except KeyError:
        start_response("500 Oops", [("Content-Type", "text/plain")], exc_info=sys.exc_info())
    return [b"never"]


def start_twice(environ, start_response):
    start_response("200 OK", [])
    start_response("201 Created", [])
    return [b"never"]


def no_start(environ, start_response):
    return [b"never"]


def no_start_empty(environ, start_response):
    return []


def text_items(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return ["text"]


def nothing(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])


def too_many(environ, start_response):
    start_response("200 OK", [("Content-Length", "4")])
    return [b"1234", b"5678"]


def too_few(environ, start_response):
    start_response("200 OK", [("Content-Length", "10")])
    return [b"1234"]


def header(environ, start_response):
    """The header to set stands in HTTP_X_NAME and HTTP_X_VALUE."""
    start_response("200 OK", [(environ["HTTP_X_NAME"], environ["HTTP_X_VALUE"].replace("|", "\n"))])
    return [b"set"]


def status(environ, start_response):
    start_response(environ["HTTP_X_STATUS"], [])
    return []


def bad_types(environ, start_response):
    kind = environ["QUERY_STRING"]
    headers = {
        "int": [("X-N", 1)],
        "wide": [("X-N", "\u20ac")],
        "list": [["X-N", "1"]],
        "dict": {"X-N": "1"},
    }[kind]
    start_response("200 OK", headers)
    return [b"never"]


def upload(environ, start_response):
    data = environ["wsgi.input"]
    how = environ["QUERY_STRING"]
    if how == "read":
        got = [data.read(0), data.read(3), data.read(), data.read()]
    elif how == "lines":
        got = list(data)
    elif how == "readline":
        got = [data.readline(2), data.readline(), data.readline(), data.readline()]
    elif how == "readlines":
        got = data.readlines()
    elif how == "seek":
        data.read()
        got = [data.seek(2), data.read(2), data.tell()]
    elif how == "into":
        buffer = bytearray(4)
        got = [data.readinto(buffer), bytes(buffer)]
    elif how == "one":
        got = [data.read(3), data.readline()]
    elif how == "sum":
        size = lines = 0
        while True:
            block = data.read(100000)
            if not block:
                break
            size += len(block)
            lines += block.count(b"\n")
        data.seek(0)
        got = [size, lines, sum(1 for line in data)]
    elif how == "buffered":
        got = [io.BufferedReader(data).read()]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [repr(got).encode()]


kept = []


def keep(environ, start_response):
    """Keeps what belongs to the server beyond the request, and uses what an earlier request kept."""
    problems = []
    for old_input, old_start, old_write, old_hints in kept:
        for use in (lambda: old_input.read(), lambda: old_start("200 OK", []), lambda: old_write(b"x"), lambda: old_hints([])):
            try:
                use()
            except (ValueError, RuntimeError) as e:
                problems.append(type(e).__name__)
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    kept[:] = [(environ["wsgi.input"], start_response, write, environ["wsgi.early_hints"])]
    return [" ".join(problems).encode()]


def hints(environ, start_response):
    """Early hints before, between and behind: those behind come too late for anybody."""
    hint = environ["wsgi.early_hints"]
    hint([("Link", "</a.css>; rel=preload")])
    start_response("200 OK", [("Content-Type", "text/plain")])
    hint([])
    hint([("Link", "</b.js>; rel=preload"), ("X-Two", "2")])
    yield b"hinted"
    hint([("Link", "</late.js>; rel=preload")])


def bad_hints(environ, start_response):
    found = []
    for headers in ([("X", "a\r\nb: c")], [("X Y", "a")], [("Connection", "close")], [("Content-Length", "3")], [("X", 1)],
                    [("X", "\u20ac")], {"X": "1"}, ["X"], None):
        try:
            environ["wsgi.early_hints"](headers)
        except (ValueError, TypeError) as e:
            found.append(type(e).__name__[0])
    try:
        environ["wsgi.early_hints"]()
    except TypeError:
        found.append("T")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return ["".join(found).encode()]


def environ_dump(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    lines = ["%s=%r" % (k, v) for k, v in sorted(environ.items()) if isinstance(v, (str, bool, tuple))]
    return ["\n".join(lines).encode("latin-1", "backslashreplace")]


def wrapped(environ, start_response):
    how = environ["QUERY_STRING"]
    wrapper = environ["wsgi.file_wrapper"]
    start_response("200 OK", [("Content-Type", "text/plain")])
    if how == "bytesio":
        return wrapper(io.BytesIO(b"from memory"), 4)
    f = tempfile.NamedTemporaryFile() if how == "named" else tempfile.TemporaryFile()
    f.write(b"x" * 300000 + b"end")
    f.seek(299990)
    if how == "whole":
        f.seek(0)
    return wrapper(f, 8192)


def big(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"b" * 1000000]


def thread_name(environ, start_response):
    start_response("200 OK", [])
    return [repr((threading.current_thread() is threading.main_thread(), threading.current_thread().name)).encode()]


def sleep(environ, start_response):
    time.sleep(0.3)
    start_response("200 OK", [])
    return [b"slept"]


def leave(environ, start_response):
    sys.exit(3)


def crash(environ, start_response):
    os.kill(os.getpid(), signal.SIGSEGV)


signals = []


def set_handler(environ, start_response):
    signal.signal(signal.SIGUSR2, lambda number, frame: signals.append(number))
    start_response("200 OK", [])
    return [b"set"]


def get_signals(environ, start_response):
    start_response("200 OK", [])
    return [repr(len(signals)).encode()]


def python(environ, start_response):
    start_response("200 OK", [])
    return [("%s %s %s" % (sys.executable, sys.prefix, sys.base_prefix)).encode()]


def multiprocess(environ, start_response):
    """A forked child must die of SIGTERM although this process does not."""
    import multiprocessing

    p = multiprocessing.get_context("fork").Process(target=time.sleep, args=(30,))
    p.start()
    p.terminate()
    p.join(5)
    start_response("200 OK", [])
    return [repr(p.exitcode).encode()]


def application(environ, start_response):
    name = environ["PATH_INFO"].strip("/") or "plain"
    return globals()[name](environ, start_response)


checked = validator(application)


class Namespace:
    app = staticmethod(application)


def create_app():
    return application


def needs_argument(x):
    return application


not_callable = 42
