"""What an app returns: PEP 3333 "The Application/Framework Side", "Handling the Content-Length Header", "Buffering and Streaming"."""

import io
import itertools
import sys

from http_case import CLOSE, get
from wsgi_case import TEXT, answers, breaks, fails

APP = "PEP 3333 The Application/Framework Side"
LENGTH = "PEP 3333 Handling the Content-Length Header"
STREAM = "PEP 3333 Buffering and Streaming"
CLOSES = "PEP 3333 Specification Details, close()"
FILES = "PEP 3333 Optional Platform-Specific File Handling"
HEAD = ("HEAD",)


def gives(result, fields=(), status="200 OK"):
    """Answers with what result() makes."""

    def app(environ, start_response):
        start_response(status, TEXT + list(fields))
        return result(environ) if result.__code__.co_argcount else result()

    return app


class Closing:
    """Says so in the log when it is closed."""

    def __init__(self, name, pieces):
        self.name, self.pieces = name, iter(pieces)

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.pieces)

    def close(self):
        print("closed %s" % self.name, flush=True)


class One:
    """Of length 1, and no list."""

    def __len__(self):
        return 1

    def __iter__(self):
        yield b"one item"


class Lying:
    def __len__(self):
        raise ValueError("no length")

    def __iter__(self):
        yield b"still "
        yield b"served"


class Indexed:
    """The old protocol of sequences."""

    def __getitem__(self, n):
        return (b"by ", b"index")[n]


class Bytes(bytes):
    pass


class List(list):
    pass


class ClosingBadly(Closing):
    def close(self):
        raise RuntimeError("in close of " + self.name)


class NotClosing(Closing):
    close = 3


def late(error):
    yield b"begun" * 60000  # more than could still be taken back
    raise error


def at_once(error):
    raise error
    yield b"never"


def lazily(environ, start_response):
    """start_response is called when the first piece is asked for."""
    start_response("200 OK", TEXT)
    yield b"lazy "
    yield b"generator"


class Object:
    def __init__(self, environ, start_response):
        start_response("200 OK", TEXT)

    def __iter__(self):
        yield b"made by a class"


def exits(environ, start_response):
    sys.exit(3)


def flows(name):
    """More than any buffer holds."""

    def app(environ, start_response):
        start_response("200 OK", TEXT)
        return Closing(name, itertools.repeat(b"f" * 65536, 2000))

    return app


def ends(name):
    try:
        yield from itertools.repeat(b"f" * 65536, 2000)
    finally:
        print("ended %s" % name, flush=True)


def file_of(make, *arguments, fields=()):
    return gives(lambda e: e["wsgi.file_wrapper"](make(), *arguments), fields)


def own_source():
    return open(__file__, "rb")


class Reader:
    """A file-like object that is not a file."""

    def __init__(self, data):
        self.data = io.BytesIO(data)
        self.read = self.data.read

    def close(self):
        print("closed the reader", flush=True)


def seeked():
    f = own_source()
    f.seek(10)
    return f


def partly_read():
    f = own_source()
    f.readline()
    return f


class Named(io.FileIO):
    def close(self):
        if not self.closed:
            print("closed the file", flush=True)
        super().close()


SOURCE = own_source().read()

CASES = [
    # kinds of iterables
    answers("a list", APP, gives(lambda: [b"a", b"b"]), body=b"ab"),
    answers("a tuple", APP, gives(lambda: (b"a", b"b")), body=b"ab"),
    answers("a generator", APP, gives(lambda: (p for p in (b"a", b"b"))), body=b"ab"),
    answers("an iterator", APP, gives(lambda: iter([b"a", b"b"])), body=b"ab"),
    answers("a set of one", APP, gives(lambda: {b"one"}), body=b"one"),
    answers("a dict's keys", APP, gives(lambda: {b"k": 1}), body=b"k"),
    answers("a file", APP, gives(lambda: io.BytesIO(b"line\nline\n")), body=b"line\nline\n"),
    answers("a sequence of the old kind", APP, gives(lambda: Indexed()), body=b"by index"),
    answers("a list's child", APP, gives(lambda: List([b"a", b"b"])), body=b"ab"),
    answers("bytes' children", APP, gives(lambda: [Bytes(b"child")]), body=b"child", valid=False),
    answers("bytes, which were meant as one piece", APP, gives(lambda: b"in one piece"), body=b"in one piece", valid=False),
    answers("a generator as the app", APP, lazily, body=b"lazy generator"),
    answers("a class as the app", APP, Object, body=b"made by a class"),
    answers("an empty list", APP, gives(lambda: []), body=b"", has=(b"content-length: 0\r\n",)),
    answers("an empty generator", APP, gives(lambda: (p for p in ())), body=b""),
    answers("empty pieces", APP, gives(lambda: [b"", b"a", b"", b"b", b""]), body=b"ab"),
    answers("empty pieces of a generator", STREAM, gives(lambda: iter([b"", b"a", b"", b"b", b""])), body=b"ab"),
    answers("a megabyte in one piece", APP, gives(lambda: [b"x" * (1 << 20)]), body=b"x" * (1 << 20)),
    answers("a megabyte in small pieces", STREAM, gives(lambda: iter([b"x" * 1000] * 1049)), body=b"x" * 1049000),
    answers("many pieces", APP, gives(lambda: [b"%d," % n for n in range(5000)]), body=b"".join(b"%d," % n for n in range(5000))),
    # what is none
    fails("None", APP, gives(lambda: None), "TypeError"),
    fails("a number", APP, gives(lambda: 3), "TypeError"),
    fails("a str", APP, gives(lambda: "text"), "the body must be made of bytes, not str (encode it first)"),
    fails("str in a list", APP, gives(lambda: ["text"]), "the body must be made of bytes, not str (encode it first)"),
    fails("str in a generator", APP, gives(lambda: iter(["text"])), "the body must be made of bytes, not str (encode it first)"),
    fails("one str among bytes: nothing is sent", APP, gives(lambda: [b"bytes", "text"]), "the body must be made of bytes, not str",
          lacks=(b"bytestext",)),
    fails("numbers", APP, gives(lambda: [1, 2]), "the body must be made of bytes, not int"),
    fails("a bytearray", APP, gives(lambda: [bytearray(b"x")]), "the body must be made of bytes, not bytearray"),
    fails("a memoryview", APP, gives(lambda: [memoryview(b"x")]), "the body must be made of bytes, not memoryview"),
    fails("None in a list", APP, gives(lambda: [None]), "the body must be made of bytes, not NoneType"),
    breaks("str after bytes", APP, gives(lambda: iter([b"bytes" * 60000, "text"])), "the body must be made of bytes, not str"),
    # exceptions
    fails("an app that raises", APP, lambda e, s: 1 / 0, "ZeroDivisionError", lacks=(b"ZeroDivision", b"Traceback")),
    fails("a generator that raises at once", APP, gives(lambda: at_once(KeyError("at once"))), "KeyError: 'at once'"),
    breaks("a generator that raises later", APP, gives(lambda: late(KeyError("later"))), "KeyError: 'later'"),
    fails("sys.exit() ends the worker, not the answer", APP, exits, "the app called sys.exit()"),
    fails("GeneratorExit is but an exception", APP, gives(lambda: at_once(GeneratorExit("odd"))), "GeneratorExit"),
    fails("StopIteration in the app", APP, lambda e, s: next(iter(())), "StopIteration"),
    # lengths
    answers("one item: its length is known", LENGTH, gives(lambda: [b"one item"]), has=(b"content-length: 8\r\n",), lacks=(b"chunked",), valid=False),
    answers("one item of no list", LENGTH, gives(lambda: One()), body=b"one item", has=(b"content-length: 8\r\n",), valid=False),
    answers("several items of a list", LENGTH, gives(lambda: [b"a", b"b"]), has=(b"content-length: 2\r\n",), valid=False),
    answers("a len() that raises is no len()", LENGTH, gives(lambda: Lying()), body=b"still served", valid=False),
    answers("a stream to 1.1 is chunked", STREAM, gives(lambda: iter([b"x" * 70000] * 8)), has=(b"transfer-encoding: chunked\r\n",)),
    answers("a stream to 1.0 ends with the connection", STREAM, gives(lambda: iter([b"x" * 70000] * 8)), fate=CLOSE, probe=False,
            send=get(version=b"HTTP/1.0"), body=b"x" * 560000, lacks=(b"chunked", b"content-length", b"Content-Length")),
    answers("a length that the app gave", LENGTH, gives(lambda: iter([b"a", b"b"]), [("Content-Length", "2")]), body=b"ab",
            has=(b"content-length: 2\r\n",), lacks=(b"chunked",)),
    answers("more bytes than it says", LENGTH, gives(lambda: [b"abcdef"], [("Content-Length", "3")]), body=b"abc",
            log=("gave more bytes than its Content-Length",)),
    answers("more items than it says", LENGTH, gives(lambda: iter([b"abc", b"def"]), [("Content-Length", "3")]), body=b"abc",
            log=("gave more bytes than its Content-Length",)),
    answers("bytes where it says none", LENGTH, gives(lambda: [b"abc"], [("Content-Length", "0")]), body=b"",
            log=("gave more bytes than its Content-Length",)),
    fails("fewer bytes than it says, all in hand", LENGTH, gives(lambda: [b"abc"], [("Content-Length", "9")]),
          "the app gave 3 bytes, its Content-Length says 9"),
    breaks("fewer bytes than it says, some sent", LENGTH, gives(lambda: iter([b"x" * 300000, b"y"]), [("Content-Length", "999999")]),
           "the app gave 300001 bytes, its Content-Length says 999999"),
    # HEAD and statuses without a body
    answers("HEAD: the length of GET, no byte", "RFC 9110 9.3.2", gives(lambda: [b"never seen"]), send=get(method=b"HEAD"), methods=HEAD,
            has=(b"content-length: 10\r\n",), lacks=(b"never seen",), valid=False),
    answers("HEAD of a stream", "RFC 9110 9.3.2", gives(lambda: iter([b"never seen"] * 3)), send=get(method=b"HEAD"), methods=HEAD,
            lacks=(b"never seen",)),
    answers("HEAD with a length and no body", "RFC 9110 9.3.2", gives(lambda: [], [("Content-Length", "10")]), send=get(method=b"HEAD"), methods=HEAD,
            has=(b"content-length: 10\r\n",), unsaid=("Content-Length says",)),
    answers("HEAD is seen as HEAD", "RFC 9110 9.3.2", gives(lambda e: [], [("X-None", "1")]), send=get(method=b"HEAD"), methods=HEAD),
    answers("HEAD is closed", CLOSES, gives(lambda: Closing("head", [b"never seen"])), send=get(method=b"HEAD"), methods=HEAD,
            says=("closed head",), lacks=(b"never seen",)),
    answers("204 with bytes", "RFC 9110 15.3.5", gives(lambda: [b"never seen"], status="204 No Content"), 204, lacks=(b"never seen", b"ontent-length"),
            valid=False),
    answers("304 with bytes", "RFC 9110 15.4.5", gives(lambda: [b"never seen"], status="304 Not Modified"), 304, lacks=(b"never seen",), valid=False),
    # close()
    answers("close() at the end", CLOSES, gives(lambda: Closing("whole", [b"a"])), body=b"a", says=("closed whole",)),
    answers("close() of what has no pieces", CLOSES, gives(lambda: Closing("empty", [])), body=b"", says=("closed empty",)),
    answers("close() when there was too much", CLOSES, gives(lambda: Closing("long", [b"abc", b"def"]), [("Content-Length", "2")]), body=b"ab",
            log=("gave more bytes than its Content-Length",), says=("closed long",)),
    fails("close() when nothing was sent", CLOSES, gives(lambda: Closing("failed", at_once(ValueError("x")))), "ValueError: x", says=("closed failed",)),
    breaks("close() when it broke off", CLOSES, gives(lambda: Closing("broken", late(ValueError("x")))), "ValueError: x", says=("closed broken",)),
    fails("close() when its items are wrong", CLOSES, gives(lambda: Closing("wrong", ["text"])), "TypeError: ", says=("closed wrong",)),
    fails("close that is no method", CLOSES, gives(lambda: NotClosing("number", [])), "'int' object is not callable", want=200),
    answers("close() is called for a client that has gone", CLOSES, flows("flood"), leaves=True, says=("closed flood",)),
    answers("a generator's finally runs for a client that has gone", CLOSES, gives(lambda: ends("finally")), leaves=True, says=("ended finally",)),
    # wsgi.file_wrapper
    answers("a file by file_wrapper", FILES, file_of(own_source), body=SOURCE, has=(b"content-length: %d\r\n" % len(SOURCE),), valid=False),
    answers("with a block size", FILES, file_of(own_source, 1000), body=SOURCE),
    answers("from where it was sought to", FILES, file_of(seeked), body=SOURCE[10:]),
    answers("from where it was read to", FILES, file_of(partly_read), body=SOURCE.split(b"\n", 1)[1]),
    answers("as much as Content-Length says", FILES, file_of(own_source, fields=[("Content-Length", "20")]), body=SOURCE[:20], valid=False),
    answers("no file at all", FILES, file_of(lambda: Reader(b"r" * 100000), 8192), body=b"r" * 100000, says=("closed the reader",)),
    answers("BytesIO", FILES, file_of(lambda: io.BytesIO(b"b" * 10000)), body=b"b" * 10000),
    answers("a file's child", FILES, file_of(lambda: Named(__file__)), body=SOURCE, says=("closed the file",)),
    answers("HEAD of a file", FILES, file_of(own_source), send=get(method=b"HEAD"), methods=HEAD, has=(b"content-length: %d\r\n" % len(SOURCE),),
            lacks=(b"file_wrapper",), valid=False),
    fails("StringIO", FILES, file_of(lambda: io.StringIO("text")), "the body must be made of bytes, not str"),
    fails("what cannot be read", FILES, file_of(lambda: 3), "AttributeError"),
    answers("middleware may iterate over it", FILES, gives(lambda e: [b"".join(e["wsgi.file_wrapper"](own_source(), 100))]), body=SOURCE),
]
