"""Chunked bodies (RFC 9112 7.1): sizes, extensions, trailers, and their ends."""

from http_case import chunked, ok, refused

CHUNK, EXT, TRAILER = "9112 7.1", "9112 7.1.1", "9112 7.1.2"


def _good(name, rfc, body, sees, **more):
    return ok(name, rfc, chunked(body), b"BODY=" + sees, **more)


def _bad(name, body, rfc=CHUNK, want=400):
    return refused(name, rfc, chunked(body), want)


CASES = [
    _good("two chunks", CHUNK, b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"b'abcde'"),
    _good("no chunk but the last", CHUNK, b"0\r\n\r\n", b"b''"),
    _good("hexadecimal in small letters", CHUNK, b"a\r\n0123456789\r\n0\r\n\r\n", b"b'0123456789'"),
    _good("hexadecimal in capitals", CHUNK, b"A\r\n0123456789\r\n0\r\n\r\n", b"b'0123456789'"),
    _good("zeros in front", CHUNK, b"0003\r\nabc\r\n000\r\n\r\n", b"b'abc'"),
    _good("CR LF in a chunk", CHUNK, b"4\r\n\r\n\r\n\r\n0\r\n\r\n", b"b'\\r\\n\\r\\n'"),
    _good("a chunk that looks like the last", CHUNK, b"5\r\n0\r\n\r\n\r\n0\r\n\r\n", b"b'0\\r\\n\\r\\n'"),
    ok("its length reaches the app", "3333", chunked(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), b"BODY=b'abcde'"),
    ok("byte by byte", CHUNK, [chunked(b"")] + [bytes([b]) for b in b"2;x=y\r\nab\r\n0\r\nT: v\r\n\r\n"], b"BODY=b'ab'"),
    ok("cut inside a size", CHUNK, [chunked(b"1"), b"0\r\n0123456789abcdef\r\n0\r\n\r\n"], b"BODY=b'0123456789abcdef'"),
    ok("cut before the last LF", CHUNK, [chunked(b"1\r\na\r\n0\r\n\r"), b"\n"], b"BODY=b'a'"),
    ok("a large chunk", CHUNK, chunked(b"10000\r\n" + b"x" * 65536 + b"\r\n0\r\n\r\n"), b"x" * 65536),
    # sizes
    _bad("no size", b"\r\nabc\r\n0\r\n\r\n"),
    _bad("a size that is no number", b"x\r\nabc\r\n0\r\n\r\n"),
    _bad("a size with 0x", b"0x3\r\nabc\r\n0\r\n\r\n"),
    _bad("a size with a plus", b"+3\r\nabc\r\n0\r\n\r\n"),
    _bad("a size with a minus", b"-3\r\nabc\r\n0\r\n\r\n"),
    _bad("a size with an underscore", b"0_3\r\nabc\r\n0\r\n\r\n"),
    _bad("a size with a dot", b"3.0\r\nabc\r\n0\r\n\r\n"),
    _bad("a blank before the size", b" 3\r\nabc\r\n0\r\n\r\n", want=(400, 200)),
    _bad("a tab before the size", b"\t3\r\nabc\r\n0\r\n\r\n", want=(400, 200)),
    _bad("a blank after the size", b"3 \r\nabc\r\n0\r\n\r\n", want=(400, 200)),
    _bad("a tab after the size", b"3\t\r\nabc\r\n0\r\n\r\n", want=(400, 200)),
    _bad("a NUL after the size", b"3\0\r\nabc\r\n0\r\n\r\n"),
    _bad("2^63", b"8000000000000000\r\nabc\r\n0\r\n\r\n", want=(400, 413)),
    _bad("2^64 + 3", b"10000000000000003\r\nabc\r\n0\r\n\r\n", want=(400, 413)),
    _bad("a size of many digits", b"f" * 40 + b"\r\nabc\r\n0\r\n\r\n", want=(400, 413)),
    _bad("a size without end", b"0" * 5000 + b"3\r\nabc\r\n0\r\n\r\n", want=(400, 200)),
    # ends of lines
    _bad("a bare LF after the size", b"3\nabc\r\n0\r\n\r\n", "9112 2.2", (400, 200)),
    _bad("a bare CR after the size", b"3\rabc\r\n0\r\n\r\n"),
    _bad("CR CR LF after the size", b"3\r\r\nabc\r\n0\r\n\r\n"),
    _bad("a bare LF after the data", b"3\r\nabc\n0\r\n\r\n", "9112 2.2", (400, 200)),
    _bad("a bare CR after the data", b"3\r\nabc\r0\r\n\r\n"),
    _bad("nothing after the data", b"3\r\nabc0\r\n\r\n"),
    _bad("two bytes that are no CR LF after the data", b"3\r\nabcXY0\r\n\r\n"),
    _bad("more data than the size", b"3\r\nabcdef\r\n0\r\n\r\n"),
    _bad("a bare LF at the end", b"3\r\nabc\r\n0\r\n\n", "9112 2.2", (400, 200)),
    _bad("two bare LFs at the end", b"3\r\nabc\r\n0\n\n", "9112 2.2", (400, 200)),
    _bad("a bare CR at the end", b"3\r\nabc\r\n0\r\n\rX"),
    # extensions
    _good("an extension", EXT, b"3;a=b\r\nabc\r\n0\r\n\r\n", b"b'abc'"),
    _good("an extension without a value", EXT, b"3;a\r\nabc\r\n0\r\n\r\n", b"b'abc'"),
    _good("an extension in quotes", EXT, b'3;a="b;c"\r\nabc\r\n0\r\n\r\n', b"b'abc'"),
    _good("several extensions", EXT, b"3;a=b;c=d;e\r\nabc\r\n0\r\n\r\n", b"b'abc'"),
    _good("an extension of the last chunk", EXT, b"3\r\nabc\r\n0;a=b\r\n\r\n", b"b'abc'"),
    _good("a blank before an extension", EXT, b"3 ;a=b\r\nabc\r\n0\r\n\r\n", b"b'abc'", want=(200, 400)),
    _good("blanks around everything in an extension", EXT, b"3 ; a = b\r\nabc\r\n0\r\n\r\n", b"b'abc'", want=(200, 400)),
    _bad("a bare LF in an extension", b"3;a\nabc\r\n0\r\n\r\n", EXT, (400, 200)),
    _bad("a bare CR in an extension", b"3;a\rb\r\nabc\r\n0\r\n\r\n", EXT),
    _bad("a quoted bare LF in an extension", b'3;a="\n"\r\nabc\r\n0\r\n\r\n', EXT),
    _bad("a NUL in an extension", b"3;a\0\r\nabc\r\n0\r\n\r\n", EXT),
    _bad("an extension without end", b"3;" + b"a" * 70000 + b"\r\nabc\r\n0\r\n\r\n", EXT, (400, 413, 431, 200)),
    _bad("extensions in all of many chunks", b"".join(b"1;%s\r\na\r\n" % (b"e" * 200) for _ in range(400)) + b"0\r\n\r\n", EXT,
         (400, 413, 431, 200)),
    # trailers
    _good("a trailer", TRAILER, b"3\r\nabc\r\n0\r\nT: v\r\n\r\n", b"b'abc'"),
    _good("several trailers", TRAILER, b"3\r\nabc\r\n0\r\nT: v\r\nU:\r\n\r\n", b"b'abc'"),
    ok("a trailer is no field", "9110 6.5.1", chunked(b"3\r\nabc\r\n0\r\nX-Trailer: evil\r\n\r\n"), b"BODY=b'abc'", lacks=(b"evil",)),
    ok("a trailer that would be a length", "9110 6.5.1", chunked(b"3\r\nabc\r\n0\r\nContent-Length: 50\r\n\r\n"), b"BODY=b'abc'",
       want=(200, 400)),
    ok("a trailer that would be a host", "9110 6.5.1", chunked(b"3\r\nabc\r\n0\r\nHost: b\r\n\r\n"), b"HTTP_HOST='a'", want=(200, 400)),
    ok("Trailer announces", "9110 6.6.2", chunked(b"1\r\na\r\n0\r\nT: v\r\n\r\n", b"Trailer: T\r\n"), b"BODY=b'a'"),
    _bad("a trailer without a colon", b"3\r\nabc\r\n0\r\nT\r\n\r\n", TRAILER, (400, 200)),
    _bad("a trailer with a blank before the colon", b"3\r\nabc\r\n0\r\nT : v\r\n\r\n", TRAILER, (400, 200)),
    _bad("a trailer without a name", b"3\r\nabc\r\n0\r\n: v\r\n\r\n", TRAILER, (400, 200)),
    _bad("a folded trailer", b"3\r\nabc\r\n0\r\nT: v\r\n w\r\n\r\n", TRAILER, (400, 200)),
    _bad("a NUL in a trailer", b"3\r\nabc\r\n0\r\nT: \0\r\n\r\n", TRAILER, (400, 200)),
    _bad("a bare LF after a trailer", b"3\r\nabc\r\n0\r\nT: v\n\r\n", "9112 2.2", (400, 200)),
    _bad("a bare CR in a trailer", b"3\r\nabc\r\n0\r\nT: v\rw\r\n\r\n", TRAILER, (400, 200)),
    _bad("trailers without end", b"3\r\nabc\r\n0\r\n" + b"T: v\r\n" * 12000 + b"\r\n", TRAILER, (400, 413, 431, 200)),
]
