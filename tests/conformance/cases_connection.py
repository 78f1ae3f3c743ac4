"""How long a connection lives (RFC 9112 9), pipelining, Expect (RFC 9110 10.1.1), HTTP/1.0."""

from http_case import CLOSE, KEEP, Await, Shut, case, chunked, get, ok, post, refused

LIFE, EXPECT = "9112 9.3", "9110 10.1.1"
OLD = b"HTTP/1.0"
WAITS = b"Expect: 100-continue\r\n"


def closes(name, rfc, send, want=200, **more):
    return case(name, rfc, send, want, CLOSE, **more)


def _expects(n):
    return post(WAITS + b"Content-Length: %d\r\n" % n)


CASES = [
    ok("1.1 goes on by itself", LIFE, get()),
    ok("and says nothing of it", LIFE, get(), lacks=(b"onnection: close",)),
    closes("close", "9112 9.6", get(b"Connection: close\r\n"), has=(b"\r\nconnection: close\r\n",)),
    closes("close in capitals", "9110 7.6.1", get(b"Connection: CLOSE\r\n")),
    closes("close in a list", "9110 7.6.1", get(b"Connection: x, close ,y\r\n")),
    closes("close in the second of two fields", "9110 5.3", get(b"Connection: x\r\nConnection: close\r\n")),
    closes("close beats keep-alive", LIFE, get(b"Connection: keep-alive, close\r\n")),
    closes("close beats keep-alive, turned around", LIFE, get(b"Connection: close, keep-alive\r\n")),
    ok("keep-alive in 1.1", LIFE, get(b"Connection: keep-alive\r\n")),
    ok("a token that begins with close", "9110 7.6.1", get(b"Connection: closed\r\n")),
    ok("a token that ends in close", "9110 7.6.1", get(b"Connection: unclose\r\n")),
    ok("an empty Connection", "9110 7.6.1", get(b"Connection:\r\n")),
    ok("commas alone", "9110 5.6.1", get(b"Connection: ,, ,\r\n")),
    ok("Keep-Alive is no token of Connection", LIFE, get(b"Keep-Alive: timeout=5\r\n")),
    ok("Proxy-Connection is not ours", "9112 C.2.2", get(b"Proxy-Connection: close\r\n")),
    closes("POST and close", "9112 9.6", post(b"Connection: close\r\nContent-Length: 3\r\n", b"abc"), sees=(b"BODY=b'abc'",)),
    # HTTP/1.0
    closes("1.0 closes", LIFE, get(version=OLD)),
    ok("1.0 goes on if it asks", "9112 C.2.2", get(b"Connection: keep-alive\r\n", version=OLD), has=(b"\r\nconnection: keep-alive\r\n",),
       want=200),
    ok("1.0 asks in capitals", "9112 C.2.2", get(b"Connection: Keep-Alive\r\n", version=OLD)),
    closes("1.0 with both", LIFE, get(b"Connection: keep-alive, close\r\n", version=OLD)),
    closes("1.0 gets no chunks", "9112 6.1", get(b"Connection: keep-alive\r\n", target=b"/stream", version=OLD),
           lacks=(b"chunked",), body=b"piece 0\npiece 1\npiece 2\n", probe=False),
    closes("1.0 is answered as 1.1", "9110 2.5", get(version=OLD), has=(b"HTTP/1.1 200 ",)),
    closes("1.0 with a body", LIFE, post(b"Content-Length: 3\r\n", b"abc", version=OLD), sees=(b"BODY=b'abc'",)),
    closes("1.0 HEAD", "9110 9.3.2", get(method=b"HEAD", version=OLD), methods=("HEAD",)),
    # pipelining
    ok("two at once", "9112 9.3.2", get(target=b"/1") + get(target=b"/2"), [b"PATH_INFO='/2'"], want=[200, 200]),
    ok("six at once, in order", "9112 9.3.2", b"".join(get(target=b"/%d" % n) for n in range(6)), [b"PATH_INFO='/5'"], want=[200] * 6),
    ok("a body, then a request", "9112 9.3.2", post(b"Content-Length: 3\r\n", b"abc") + get(target=b"/2"), b"PATH_INFO='/2'", want=[200, 200]),
    ok("chunks, then a request", "9112 9.3.2", chunked(b"1\r\na\r\n0\r\n\r\n") + get(target=b"/2"), b"PATH_INFO='/2'", want=[200, 200]),
    ok("HEAD, then GET", "9112 9.3.2", get(method=b"HEAD") + get(target=b"/2"), b"PATH_INFO='/2'", want=[200, 200], methods=("HEAD", "GET")),
    ok("204, then a request", "9112 9.3.2", get(target=b"/204") + get(target=b"/2"), b"PATH_INFO='/2'", want=[204, 200]),
    ok("304, then a request", "9112 9.3.2", get(target=b"/304") + get(target=b"/2"), b"PATH_INFO='/2'", want=[304, 200]),
    ok("a stream, then a request", "9112 9.3.2", get(target=b"/stream") + get(target=b"/2"), b"PATH_INFO='/2'", want=[200, 200]),
    ok("a body that nobody reads, then a request", "9112 9.3.2",
       b"POST /probe HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n" + b"x" * 20000 + get(target=b"/2"), b"PATH_INFO='/2'", want=[200, 200]),
    ok("one and a half, then the rest", "9112 9.3.2", [get(target=b"/1") + get(target=b"/2")[:20], get(target=b"/2")[20:]],
       b"PATH_INFO='/2'", want=[200, 200]),
    closes("after close nothing is answered", "9112 9.6", get(b"Connection: close\r\n") + get(target=b"/2")),
    closes("one good, one bad", "9112 9.3.2", get() + get(b"X : y\r\n"), want=[200, 400]),
    ok("requests for two hosts", "9112 9.3.2", get() + get(host=b"Host: b\r\n"), b"HTTP_HOST='b'", want=[200, 200]),
    ok("an empty line between two", "9112 2.2", get() + b"\r\n" + get(target=b"/2"), b"PATH_INFO='/2'", want=[200, 200]),
    closes("words between two", "9112 2.2", get() + b"and\r\n", want=[200, 400]),
    closes("bytes behind a body", "9112 6.3", post(b"Content-Length: 3\r\n", b"abc:e"), want=[200, 400]),
    # the client shuts its side
    case("shut behind a request", "9112 9.6", [get(), Shut], 200, CLOSE, probe=False),
    case("shut behind a body", "9112 9.6", [post(b"Content-Length: 3\r\n", b"abc"), Shut], 200, CLOSE, sees=(b"BODY=b'abc'",), probe=False),
    case("shut behind two", "9112 9.6", [get() + get(target=b"/2"), Shut], [200, 200], CLOSE, sees=(b"PATH_INFO='/2'",), probe=False),
    case("shut in the middle of a request line", "9112 8", [b"GET / HT", Shut], (400, 408), CLOSE, probe=False),
    case("shut in the middle of a head", "9112 8", [b"GET / HTTP/1.1\r\nHost: a\r\nX: ", Shut], (400, 408), CLOSE, probe=False),
    case("shut in the middle of a body", "9112 8", [post(b"Content-Length: 5\r\n", b"abc"), Shut], (400, 408), CLOSE, probe=False),
    case("shut in the middle of a chunk", "9112 8", [chunked(b"5\r\nabc"), Shut], (400, 408), CLOSE, probe=False),
    case("shut before the last chunk", "9112 8", [chunked(b"3\r\nabc\r\n"), Shut], (400, 408), CLOSE, probe=False),
    case("shut inside the last chunk's end", "9112 8", [chunked(b"3\r\nabc\r\n0\r\n"), Shut], (400, 408), CLOSE, probe=False),
    case("shut without a byte", "9112 9.6", [Shut], [], CLOSE, probe=False),
    # Expect
    case("100, then the answer", EXPECT, [_expects(3), Await(1), b"abc"], [100, 200], KEEP, sees=(b"BODY=b'abc'",)),
    case("100 for chunks", EXPECT, [post(WAITS + b"Transfer-Encoding: chunked\r\n"), Await(1), b"1\r\na\r\n0\r\n\r\n"], [100, 200], KEEP,
         sees=(b"BODY=b'a'",)),
    case("in capitals", EXPECT, [post(b"Expect: 100-CONTINUE\r\nContent-Length: 3\r\n"), Await(1), b"abc"], [100, 200], KEEP),
    ok("without a body nobody waits", EXPECT, get(WAITS), lacks=(b"HTTP/1.1 100",)),
    ok("with an empty body nobody waits", EXPECT, _expects(0), lacks=(b"HTTP/1.1 100",)),
    closes("1.0 does not know it", EXPECT, post(WAITS + b"Content-Length: 3\r\n", b"abc", version=OLD), lacks=(b"HTTP/1.1 100",)),
    refused("another expectation", EXPECT, post(b"Expect: 200-ok\r\nContent-Length: 3\r\n", b"abc"), (417, 200, 400)),
    refused("another expectation beside it", EXPECT, post(WAITS + b"Expect: x\r\nContent-Length: 3\r\n", b"abc"), (417, 200, 400)),
    refused("an expectation, and a bad length", EXPECT, post(WAITS + b"Content-Length: x\r\n"), 400, lacks=(b"HTTP/1.1 100",), probe=False),
    refused("an expectation, and too much", EXPECT, post(WAITS + b"Content-Length: 9999999\r\n"), (413, 100), lacks=(b"HTTP/1.1 100",),
            probe=False),
    case("two that expect, one after the other", EXPECT,
         [_expects(1), Await(1), b"a" + _expects(1), Await(3), b"b"], [100, 200, 100, 200], KEEP, sees=(b"BODY=b'b'",)),
    ok("a pipelined one that has its body", EXPECT, get() + post(WAITS + b"Content-Length: 1\r\n", b"a"), b"BODY=b'a'",
       want=[200, 200], lacks=(b"HTTP/1.1 100",)),
]
