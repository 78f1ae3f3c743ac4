"""start_response, write and exc_info: PEP 3333 "The start_response() Callable" and "Error Handling"."""

import sys
import threading
import time

from http_case import get
from wsgi_case import TEXT, answers, breaks, fails

START = "PEP 3333 The start_response() Callable"
ERRORS = "PEP 3333 Error Handling"
WRITE = "PEP 3333 The write() Callable"
HOP = "PEP 3333 Other HTTP Features"


def starts(*arguments, **named):
    """Calls start_response like this, then answers."""

    def app(environ, start_response):
        start_response(*arguments, **named)
        return [b"started"]

    return app


def with_field(name, value="x"):
    return starts("200 OK", TEXT + [(name, value)])


def fails_with(error):
    try:
        raise error
    except type(error):
        return sys.exc_info()


def again(environ, start_response):
    start_response("200 OK", TEXT)
    start_response("201 Created", TEXT)
    return [b"never"]


def replaced(environ, start_response):
    start_response("200 OK", TEXT + [("X-Old", "1")])
    try:
        raise ValueError("before any byte")
    except ValueError:
        start_response("503 Replaced", TEXT + [("X-New", "1")], sys.exc_info())
    return [b"replaced"]


def replaced_by_name(environ, start_response):
    start_response("200 OK", TEXT)
    start_response("500 Replaced", TEXT, exc_info=fails_with(KeyError("x")))
    return [b"by name"]


def replaced_in_time(environ, start_response):
    """The head waits for the first byte, so that a generator may change its mind."""

    def produce():
        start_response("200 OK", TEXT)
        yield b""
        start_response("500 Late", TEXT, fails_with(ValueError("nothing was sent")))
        yield b"in time"

    return produce()


def first_with_exc_info(environ, start_response):
    start_response("500 First", TEXT, fails_with(ValueError("at once")))
    return [b"first"]


def too_late(environ, start_response):
    start_response("200 OK", TEXT)

    def produce():
        yield b"begun" * 60000
        start_response("500 Late", TEXT, fails_with(LookupError("raised again")))
        yield b"never"

    return produce()


def too_late_caught(environ, start_response):
    start_response("200 OK", TEXT)

    def produce():
        yield b"begun, "
        try:
            start_response("500 Late", TEXT, fails_with(LookupError("caught")))
        except LookupError as e:
            yield b"raised " + str(e).encode()

    return produce()


def too_late_after_write(environ, start_response):
    start_response("200 OK", TEXT)(b"written" * 60000)
    start_response("500 Late", TEXT, fails_with(LookupError("after write")))
    return []


def empty_exc_info(environ, start_response):
    start_response("200 OK", TEXT)
    start_response("200 Again", TEXT, (None, None, None))
    return [b"again"]


def after_bad_one(environ, start_response):
    """Half a head is none: what failed is not sent."""
    try:
        start_response("200 OK", TEXT + [("X-Half", "1"), ("X-Bad", "a\nb")])
    except ValueError:
        start_response("200 OK", TEXT)
    return [b"whole"]


def writes(environ, start_response):
    write = start_response("200 OK", TEXT)
    write(b"one ")
    write(b"")
    write(b"two ")
    return [b"three"]


def writes_only(environ, start_response):
    start_response("200 OK", TEXT)(b"written")
    return []


def writes_text(environ, start_response):
    start_response("200 OK", TEXT)("text")
    return []


def writes_nothing(environ, start_response):
    start_response("200 OK", TEXT)()
    return []


def writes_with_length(environ, start_response):
    start_response("200 OK", TEXT + [("Content-Length", "7")])(b"written")
    return []


def writes_to_head(environ, start_response):
    start_response("200 OK", TEXT)(b"never seen")
    return [b"never seen"]


def writes_late(environ, start_response):
    write = start_response("200 OK", TEXT)

    def produce():
        yield b"yielded, "
        write(b"written, ")
        yield b"yielded"

    return produce()


class Late:
    """Writes when the server has forgotten the request: its environ is gone then, or goes before that."""

    def __init__(self, write):
        self.write = write

    def __del__(self):
        threading.Thread(target=self.until_refused, args=(self.write,)).start()

    @staticmethod
    def until_refused(write):
        for _ in range(2000):
            try:
                write(b"into another answer")
            except Exception:
                print("what is written late is refused", flush=True)
                break
            time.sleep(0.001)


def writes_when_over(environ, start_response):
    environ["late"] = Late(start_response("200 OK", TEXT))
    return [b"whole"]


def fields_changed(environ, start_response):
    """The list is the app's: what it does with it later is too late."""
    fields = TEXT + [("X-A", "1")]
    start_response("200 OK", fields)
    fields.append(("X-B", "2"))
    return [b"one field"]


def of_middleware(environ, start_response):
    def start(status, headers, exc_info=None):
        return start_response(status, headers + [("X-Outer", "1")], exc_info)

    start("200 OK", TEXT)
    return [b"wrapped"]


CASES = [
    # the call
    answers("status and headers", START, starts("200 OK", TEXT), body=b"started", has=(b"HTTP/1.1 200 OK\r\n", b"content-type: text/plain\r\n")),
    answers("a reason of its own", START, starts("299 Very Own", TEXT), 299, has=(b"HTTP/1.1 299 Very Own\r\n",)),
    answers("a status without a reason", START, starts("200", TEXT), valid=False),
    answers("a long reason", START, starts("200 " + "x" * 400, TEXT), has=(b"x" * 400,)),
    answers("headers in their order, repeated ones too", START, starts("200 OK", TEXT + [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]),
            has=(b"set-cookie: a=1\r\nset-cookie: b=2\r\n",)),
    answers("an empty value", START, with_field("X-Empty", ""), has=(b"x-empty: \r\n",)),
    answers("a value in latin-1", START, with_field("X-Latin", "caf\xe9"), has=(b"x-latin: caf\xe9\r\n",)),
    answers("a tab in a value", START, with_field("X-Tab", "a\tb"), has=(b"x-tab: a\tb\r\n",), valid=False),
    answers("names are sent as they are written", START, with_field("x-LoWeR"), has=(b"x-LoWeR: x\r\n",)),
    answers("headers as a tuple", START, starts("200 OK", tuple(TEXT)), valid=False),
    answers("the list may be changed afterwards", START, fields_changed, has=(b"x-a: 1",), lacks=(b"X-B",)),
    answers("middleware passes it on", START, of_middleware, has=(b"x-outer: 1",)),
    answers("exc_info as None", START, starts("200 OK", TEXT, None), body=b"started"),
    answers("exc_info as None by name", START, starts("200 OK", TEXT, exc_info=None), body=b"started", valid=False),
    # its mistakes
    fails("never called", START, lambda e, s: [b"x"], "did not call start_response"),
    fails("never called, nothing returned", START, lambda e, s: [], "did not call start_response"),
    fails("called twice", START, again, "called twice without exc_info"),
    fails("no headers", START, starts("200 OK"), "start_response() takes status, headers and exc_info"),
    fails("too many arguments", START, starts("200 OK", TEXT, None, None), "start_response() takes"),
    fails("a name that it does not have", START, starts("200 OK", TEXT, exception=None), "start_response() takes"),
    fails("status as bytes", START, starts(b"200 OK", TEXT), "status must be str, not bytes"),
    fails("status as a number", START, starts(200, TEXT), "status must be str, not int"),
    fails("status of two digits", START, starts("20 OK", TEXT), "does not begin with three digits"),
    fails("an interim status", START, starts("100 Continue", TEXT), "is no final status of HTTP"),
    fails("switching protocols", START, starts("101 Switching Protocols", TEXT), "is no final status of HTTP"),
    fails("words for a status", START, starts("OK", TEXT), "does not begin with three digits"),
    fails("CR LF in the status", START, starts("200 OK\r\nX-Injected: 1", TEXT), "status holds control characters", lacks=(b"X-Injected",)),
    fails("status beyond latin-1", START, starts("200 \u20ac", TEXT), "status holds characters beyond latin-1"),
    fails("headers as a dict", START, starts("200 OK", {"a": "b"}), "headers must be a list, not dict"),
    fails("headers as an iterator", START, starts("200 OK", iter(TEXT)), "headers must be a list"),
    fails("headers as None", START, starts("200 OK", None), "headers must be a list, not NoneType"),
    fails("a header as a list", START, starts("200 OK", [["a", "b"]]), "each header must be a tuple of name and value"),
    fails("a header of three", START, starts("200 OK", [("a", "b", "c")]), "each header must be a tuple of name and value"),
    fails("a name as bytes", START, starts("200 OK", [(b"X-A", "b")]), "header name must be str, not bytes"),
    fails("a value as bytes", START, with_field("X-A", b"b"), "header value must be str, not bytes"),
    fails("a value as a number", START, with_field("X-A", 1), "header value must be str, not int"),
    fails("a value as None", START, with_field("X-A", None), "header value must be str, not NoneType"),
    fails("a value beyond latin-1", START, with_field("X-A", "\u20ac"), "header value holds characters beyond latin-1"),
    fails("an empty name", START, with_field("", "x"), "is not a header name"),
    fails("a blank in a name", START, with_field("X A", "x"), "is not a header name"),
    fails("a colon in a name", START, with_field("X-A:", "x"), "is not a header name"),
    fails("CR LF in a name", START, with_field("X-A\r\nX-Injected", "x"), "is not a header name", lacks=(b"X-Injected",)),
    fails("CR LF in a value", START, with_field("X-A", "a\r\nX-Injected: 1"), "the value of header X-A holds control characters",
          lacks=(b"X-Injected",)),
    fails("CR in a value", START, with_field("X-A", "a\rb"), "the value of header X-A holds control characters"),
    fails("LF in a value", START, with_field("X-A", "a\nb"), "the value of header X-A holds control characters"),
    fails("NUL in a value", START, with_field("X-A", "a\0b"), "the value of header X-A holds control characters"),
    fails("DEL in a value", START, with_field("X-A", "a\x7fb"), "the value of header X-A holds control characters"),
    fails("a Content-Length that is none", START, with_field("Content-Length", "many"), "is not a length"),
    fails("a negative Content-Length", START, with_field("Content-Length", "-1"), "is not a length"),
    fails("two Content-Lengths that differ", START, starts("200 OK", TEXT + [("Content-Length", "7"), ("content-length", "8")]),
          "two different Content-Length headers"),
    answers("two that agree are one", START, starts("200 OK", TEXT + [("Content-Length", "7"), ("Content-Length", "7")]), body=b"started"),
    fails("headers without end", START, starts("200 OK", [("X-A", "x" * 1000)] * 500), "headers of more than"),
    *(fails("hop-by-hop: " + name, HOP, with_field(name, value), "hop-by-hop header \"%s\"" % name)
      for name, value in (("Connection", "close"), ("Keep-Alive", "timeout=5"), ("Proxy-Authenticate", "Basic"), ("Proxy-Authorization", "x"),
                          ("TE", "trailers"), ("Trailers", "X"), ("Transfer-Encoding", "chunked"), ("Upgrade", "h2c"), ("connection", "close"))),
    answers("after one that failed it may be called again", START, after_bad_one, body=b"whole", lacks=(b"X-Half",), valid=False),
    # exc_info
    answers("exc_info before the first byte replaces the head", ERRORS, replaced, 503, body=b"replaced", has=(b"x-new: 1",), lacks=(b"X-Old",)),
    answers("exc_info by name", ERRORS, replaced_by_name, 500, body=b"by name", valid=False),
    answers("an empty piece does not send the head", ERRORS, replaced_in_time, 500, body=b"in time", valid=False),
    answers("exc_info in the first call", ERRORS, first_with_exc_info, 500, body=b"first"),
    breaks("exc_info after the first byte is raised", ERRORS, too_late, "LookupError: raised again"),
    answers("and the app may catch it", ERRORS, too_late_caught, body=b"begun, raised caught", valid=False),
    breaks("exc_info after write() is raised", ERRORS, too_late_after_write, "LookupError: after write"),
    answers("exc_info of no exception", ERRORS, empty_exc_info, body=b"again", has=(b"HTTP/1.1 200 Again",), valid=False),
    fails("exc_info that is none", ERRORS, starts("200 OK", TEXT, "x"), "exc_info must be what sys.exc_info() returns"),
    fails("exc_info of two", ERRORS, starts("200 OK", TEXT, (ValueError, ValueError())), "exc_info must be what sys.exc_info() returns"),
    # write
    answers("write, then the rest", WRITE, writes, body=b"one two three"),
    answers("write alone", WRITE, writes_only, body=b"written"),
    answers("write from a generator", WRITE, writes_late, body=b"yielded, written, yielded", valid=False),
    answers("write with a length", WRITE, writes_with_length, body=b"written", has=(b"content-length: 7\r\n",)),
    answers("write to HEAD", WRITE, writes_to_head, send=get(method=b"HEAD"), methods=("HEAD",), lacks=(b"never seen",)),
    fails("write of text", WRITE, writes_text, "the body must be made of bytes, not str (encode it first)"),
    fails("write of nothing", WRITE, writes_nothing, "write() takes exactly one argument"),
    answers("write when it is over", WRITE, writes_when_over, body=b"whole", says=("what is written late is refused",),
            valid=False),
]
