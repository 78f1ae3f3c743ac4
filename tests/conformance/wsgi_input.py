"""wsgi.input: PEP 3333 "Input and Error Streams", and io.BufferedIOBase where that promises more."""

from http_case import get, post
from wsgi_case import sees

INPUT = "PEP 3333 Input and Error Streams"
IO = "io.BufferedIOBase"
LINES = b"one\ntwo\n\nthree\r\nfour"
BIG = bytes(range(256)) * 1200  # more than is kept in memory
FILE = b"line of a file\n" * 20000


def sent(body):
    return post(b"Content-Length: %d\r\n" % len(body), body)


def chunked(body, size):
    pieces = b"".join(b"%x\r\n%s\r\n" % (len(body[n:n + size]), body[n:n + size]) for n in range(0, len(body), size))
    return post(b"Transfer-Encoding: chunked\r\n", pieces + b"0\r\n\r\n")


def reads(name, expression, wanted, body=LINES, section=INPUT, valid=False, send=None):
    # the validator's own wrapper has but four methods, and wants a size with each read()
    return sees(name, section, expression, wanted, send or sent(body), valid=valid)


CASES = [
    reads("read() is all", "i.read()", LINES),
    reads("read(-1) is all", "i.read(-1)", LINES, valid=True),
    reads("read(None) is all", "i.read(None)", LINES, section=IO),
    reads("read(n)", "i.read(5), i.read(2), i.read(1000)", (b"one\nt", b"wo", b"\n\nthree\r\nfour"), valid=True),
    reads("read(0) is nothing", "i.read(0), i.read(3)", (b"", b"one"), valid=True),
    reads("beyond the end is nothing, for ever", "i.read(1000) and (i.read(1), i.read(1), i.readline(), list(i))", (b"", b"", b"", []), valid=True),
    reads("no body reads as empty", "i.read(), i.readline(), i.readlines(), list(i)", (b"", b"", [], []), send=get()),
    reads("an empty body too", "i.read(10), i.readline()", (b"", b""), b"", valid=True),
    reads("more than Content-Length is not to be had", "i.read(4)", b"abc", b"abc", valid=True),
    reads("readline()", "i.readline(), i.readline(), i.readline(), i.readline(), i.readline()",
          (b"one\n", b"two\n", b"\n", b"three\r\n", b"four"), valid=True),
    reads("readline(n) is at most n bytes", "i.readline(2), i.readline(100), i.readline(0), i.readline(-1)", (b"on", b"e\n", b"", b"two\n"), valid=True),
    reads("readline(None)", "i.readline(None)", b"one\n", section=IO),
    reads("readlines()", "i.readlines()", [b"one\n", b"two\n", b"\n", b"three\r\n", b"four"], valid=True),
    reads("readlines(hint) stops behind it", "i.readlines(5)", [b"one\n", b"two\n"], valid=True),
    reads("readlines(0) is all", "len(i.readlines(0))", 5, valid=True),
    reads("readlines(None) is all", "len(i.readlines(None))", 5, section=IO),
    reads("iteration gives lines", "list(i)", [b"one\n", b"two\n", b"\n", b"three\r\n", b"four"], valid=True),
    reads("it is its own iterator", "iter(i) is i and next(i)", b"one\n", section=IO),
    reads("read and iteration go on where the other stopped", "next(iter(i)), i.read(2), i.readline(), next(iter(i))",
          (b"one\n", b"tw", b"o\n", b"\n"), section=IO),
    reads("read1", "i.read1(3), i.read1(-1)", (b"one", LINES[3:]), section=IO),
    reads("readinto", "(lambda b: (i.readinto(b), bytes(b)))(bytearray(3))", (3, b"one"), section=IO),
    reads("readinto at the end", "i.read() and (lambda b: (i.readinto(b), bytes(b)))(bytearray(3))", (0, b"\0\0\0"), section=IO),
    reads("readinto a memoryview", "(lambda b: (i.readinto(memoryview(b)[1:3]), bytes(b)))(bytearray(4))", (2, b"\0on\0"), section=IO),
    reads("readinto1", "(lambda b: (i.readinto1(b), bytes(b)))(bytearray(4))", (4, b"one\n"), section=IO),
    reads("readinto what cannot be written", "raised(i.readinto, b'abc')", "TypeError", section=IO),
    reads("seek and tell", "i.read(5), i.tell(), i.seek(0), i.read(3), i.seek(-4, 2), i.read(), i.seek(1), i.seek(2, 1), i.read(1)",
          (b"one\nt", 5, 0, b"one", len(LINES) - 4, b"four", 1, 3, b"\n"), section=IO),
    reads("seek beyond the end", "i.seek(1000), i.read(), i.tell()", (1000, b"", 1000), section=IO),
    reads("seek before the beginning", "raised(i.seek, -1), i.read(3)", ("ValueError", b"one"), section=IO),
    reads("readable, seekable, writable", "i.readable(), i.seekable(), i.writable(), i.isatty(), i.closed", (True, True, False, False, False),
          section=IO),
    reads("an io.BufferedIOBase", "isinstance(i, __import__('io').BufferedIOBase), isinstance(i, __import__('io').IOBase)", (True, True), section=IO),
    reads("what it cannot do it says as io does", "[raised(*a) for a in ((i.fileno,), (i.write, b''), (i.truncate,), (i.detach,),"
          " (i.writelines, []))]", ["UnsupportedOperation"] * 5, section=IO),
    reads("a context manager", "(lambda x: (x.__enter__() is x, x.read(3), x.__exit__(None, None, None)))(i)", (True, b"one", None), section=IO),
    reads("close() closes nothing that the server needs", "i.close(), i.read(3)", (None, b"one"), section=INPUT),
    reads("io.TextIOWrapper around it", "__import__('io').TextIOWrapper(i, 'utf-8').readline()", "one\n", section=IO),
    reads("io.BufferedReader around it", "__import__('io').BufferedReader(i).peek(3)[:3]", b"one", section=IO),
    reads("shutil.copyfileobj", "(lambda b: (__import__('shutil').copyfileobj(i, b), b.getvalue()))(__import__('io').BytesIO())", (None, LINES),
          section=IO),
    reads("a size that is none", "raised(i.read, 'x'), raised(i.read, 1, 2), raised(i.readline, 1.5)", ("TypeError",) * 3, section=IO),
    # large bodies stand in a file
    reads("a large body", "len(i.read(400000))", len(BIG), BIG, valid=True),
    reads("a large body, byte for byte", "__import__('zlib').crc32(i.read())", __import__("zlib").crc32(BIG), BIG),
    reads("lines of a large body", "sum(1 for line in i if line == b'line of a file\\n')", 20000, FILE, valid=True),
    reads("readline and read of a large body", "i.readline(), i.read(4), i.readline(), len(i.readlines())",
          (b"line of a file\n", b"line", b" of a file\n", 19998), FILE, valid=True),
    reads("seek in a large body", "i.seek(256000), i.read(3), i.seek(0), i.read(2), i.seek(-1, 2), i.read()",
          (256000, b"\0\1\2", 0, b"\0\1", len(BIG) - 1, b"\xff"), BIG, section=IO),
    reads("readinto of a large body", "(lambda b: (i.seek(65), i.readinto(b), bytes(b[-2:])))(bytearray(200000))", (65, 200000, bytes([127, 128])),
          BIG, section=IO),
    # chunks
    reads("chunks", "i.read(), e['CONTENT_LENGTH']", (LINES, str(len(LINES))), send=chunked(LINES, 3), section="RFC 9112 7.1"),
    reads("lines across chunks", "list(i)", LINES.splitlines(True), send=chunked(LINES, 2), section="RFC 9112 7.1"),
    reads("a large body in chunks", "__import__('zlib').crc32(i.read())", __import__("zlib").crc32(BIG), send=chunked(BIG, 5000), section="RFC 9112 7.1"),
    reads("no chunk at all", "i.read()", b"", send=chunked(b"", 1), section="RFC 9112 7.1"),
    reads("a body with GET", "i.read(), e['REQUEST_METHOD']", (b"abc", "GET"), send=get(b"Content-Length: 3\r\n") + b"abc", section="RFC 9110 9.3.1"),
]
