"""The app behind every server of the suite: says what it has seen; some paths choose the shape of the answer."""


def _plain(body):
    def shape(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]

    return shape


def _bare(status):
    """A body where there may be none."""

    def shape(environ, start_response):
        start_response(status, [("X-Shape", "bare")])
        return [b"never seen"]

    return shape


def _unchanged(environ, start_response):
    start_response("304 Not Modified", [("ETag", '"1"')])
    return []


def _stream(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])

    def produce():
        for n in range(3):
            yield b"piece %d\n" % n

    return produce()


def _short(environ, start_response):
    start_response("200 OK", [("Content-Length", "1000000")])

    def produce():
        yield b"s" * 300000
        yield b"hort"

    return produce()


def _raises_late(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])

    def produce():
        yield b"begun"
        yield b" " * 300000
        raise ValueError("in the middle of an answer")

    return produce()


def _raises(environ, start_response):
    raise ValueError("before the answer")


def _dated(environ, start_response):
    start_response("200 OK", [("Date", "Thu, 01 Jan 1970 00:00:00 GMT"), ("X-Request-ID", "of-the-app")])
    return [b"dated"]


def _hints(environ, start_response):
    hint = environ.get("wsgi.early_hints", lambda headers: None)
    hint([("Link", "</a.css>; rel=preload")])
    hint([("Link", "</b.js>; rel=preload")])
    start_response("200 OK", [("Content-Length", "6")])
    return [b"hinted"]


def _split_hints(environ, start_response):
    environ.get("wsgi.early_hints", lambda headers: None)([("Link", "</a>\r\nX-Injected: evil")])
    start_response("200 OK", [("Content-Length", "6")])
    return [b"hinted"]


def _dump(environ, start_response):
    source = environ["wsgi.input"]
    if environ.get("wsgi.input_terminated"):
        body = source.read()
    else:
        body = source.read(int(environ.get("CONTENT_LENGTH") or 0))
    lines = ["%s=%r\n" % (k, environ[k]) for k in sorted(environ) if isinstance(environ[k], str) and k == k.upper()]
    text = "".join(lines).encode("latin-1", "backslashreplace") + b"BODY=%r\n" % body
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text]


SHAPES = {
    "/probe": _plain(b"probe"), "/stream": _stream, "/204": _bare("204 No Content"), "/304": _bare("304 Not Modified"),
    "/205": _bare("205 Reset Content"), "/unchanged": _unchanged, "/short": _short, "/raises": _raises,
    "/raises_late": _raises_late, "/dated": _dated, "/empty": _plain(b""), "/large": _plain(b"0123456789" * 20000),
    "/hints": _hints, "/split_hints": _split_hints,
}


def application(environ, start_response):
    return SHAPES.get(environ["PATH_INFO"], _dump)(environ, start_response)
