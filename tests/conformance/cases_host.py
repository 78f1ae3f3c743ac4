"""Host (RFC 9110 7.2, RFC 9112 3.2): exactly one, and a host."""

from http_case import get, ok, refused

HOST = "9112 3.2"


def _good(name, value, sees=None, **more):
    return ok("Host: " + name, "9110 7.2", get(host=b"Host: " + value + b"\r\n"), b"HTTP_HOST='%s'" % (sees or value), **more)


def _bad(name, value, want=400):
    return refused("Host: " + name, HOST, get(host=b"Host: " + value + b"\r\n"), want)


CASES = [
    refused("no Host", HOST, get(host=b"")),
    ok("no Host in HTTP/1.0", HOST, get(host=b"", version=b"HTTP/1.0", fields=b"Connection: keep-alive\r\n"),
       b"SERVER_PROTOCOL='HTTP/1.0'"),
    refused("two", HOST, get(host=b"Host: a\r\nHost: b\r\n")),
    refused("two that are equal", HOST, get(host=b"Host: a\r\nHost: a\r\n")),
    refused("two in different cases", HOST, get(host=b"Host: a\r\nhOST: a\r\n")),
    refused("two with others between", HOST, get(host=b"Host: a\r\nX: 1\r\nY: 2\r\nHost: b\r\n")),
    refused("two in HTTP/1.0", HOST, get(host=b"Host: a\r\nHost: b\r\n", version=b"HTTP/1.0")),
    refused("two, with absolute-form", HOST, get(host=b"Host: a\r\nHost: b\r\n", target=b"http://a/")),
    _good("a name", b"www.a.example"),
    _good("with a port", b"a:8080"),
    _good("with an empty port", b"a:", want=(200, 400)),
    _good("the highest port", b"a:65535"),
    _good("in capitals", b"A.Example"),
    _good("with a trailing dot", b"a.example."),
    _good("an IPv4 address", b"192.0.2.1"),
    _good("an IPv6 address", b"[2001:db8::1]"),
    _good("an IPv6 address and a port", b"[::1]:8080"),
    _good("an IPv6 address with IPv4 in it", b"[::ffff:192.0.2.1]"),
    _good("with an underscore", b"a_b.example"),
    _good("with blanks around", b"  a.example\t", b"a.example"),
    _bad("empty", b"", (400, 200)),
    _bad("blanks", b"  ", (400, 200)),
    _bad("a port alone", b":80"),
    _bad("a port that is no number", b"a:80x"),
    _bad("a port that is too large", b"a:65536", (400, 200)),
    _bad("a negative port", b"a:-1"),
    _bad("two ports", b"a:80:80"),
    _bad("two names", b"a, b"),
    _bad("two names and a comma", b"a,b", (400, 200)),
    _bad("a blank in it", b"a b"),
    _bad("a tab in it", b"a\tb"),
    _bad("a path", b"a/b"),
    _bad("a query", b"a?b"),
    _bad("a fragment", b"a#b"),
    _bad("a user", b"u@a"),
    _bad("a scheme", b"http://a"),
    _bad("a bracket that does not close", b"[::1"),
    _bad("a bracket that does not open", b"::1]"),
    _bad("no address in brackets", b"[a.example]"),
    _bad("empty brackets", b"[]"),
    _bad("words after brackets", b"[::1]a"),
    _bad("an IPv6 address without brackets", b"::1"),
    _bad("a backslash", b"a\\b"),
    _bad("a quote", b'a"b'),
    _bad("an angle bracket", b"a<b>"),
    _bad("above ASCII", b"caf\xc3\xa9"),
    _bad("a NUL", b"a\0b"),
    _bad("longer than any name", b"a" * 300, (400, 200)),
    _bad("a dot alone", b"."),
]
# A comma is a sub-delim of a registered name (RFC 3986 3.2.2), so "a,b" is one, if an odd one.
CASES = [c for c in CASES if c.name != "Host: two names and a comma"]
CASES.append(ok("Host: a comma is part of a registered name", "3986 3.2.2", get(host=b"Host: a,b\r\n"), b"HTTP_HOST='a,b'",
                want=(200, 400)))
