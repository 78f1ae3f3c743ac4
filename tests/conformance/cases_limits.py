"""Limits: each is an option of ours (test_conformance.OPTIONS), and each ends in an answer that says which it was."""

from http_case import CLOSE, case, chunked, get, ok, post, refused

# peers have limits of their own, so only the kind of their answer counts
TOO_LONG, TOO_LARGE = (414, 400, 431, 200, 404), (431, 400, 200)

CASES = [
    ok("a target up to limit-uri", "9110 15.5.15", get(target=b"/" + b"a" * 3999), b"PATH_INFO"),
    refused("a target beyond limit-uri", "9110 15.5.15", get(target=b"/" + b"a" * 4000), TOO_LONG),
    refused("a query beyond limit-uri", "9110 15.5.15", get(target=b"/?" + b"a" * 4000), TOO_LONG),
    refused("an absolute-form beyond limit-uri", "9110 15.5.15", get(target=b"http://a/" + b"a" * 4000), TOO_LONG),
    refused("a target without end", "9110 15.5.15", b"GET /" + b"a" * 100000, TOO_LONG, probe=False),
    ok("as many fields as limit-headers", "6585 5", get(b"".join(b"X-%d: 1\r\n" % n for n in range(59))), b"HTTP_X_58='1'"),
    refused("more fields than limit-headers", "6585 5", get(b"".join(b"X-%d: 1\r\n" % n for n in range(60))), TOO_LARGE),
    refused("fields of one name count too", "6585 5", get(b"X: 1\r\n" * 60), TOO_LARGE),
    ok("a head up to buffer-size", "6585 5", get(b"X: " + b"a" * 16000 + b"\r\n"), b"a" * 16000, want=(200, 400, 431)),
    refused("a head beyond buffer-size", "6585 5", get(b"X: " + b"a" * 17000 + b"\r\n"), TOO_LARGE),
    refused("a head without end", "6585 5", b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 100000, TOO_LARGE, probe=False),
    refused("a name without end", "6585 5", b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a" * 100000, TOO_LARGE, probe=False),
    ok("a body up to limit-post", "9110 15.5.14", post(b"Content-Length: 100000\r\n", b"a" * 100000), b"CONTENT_LENGTH='100000'"),
    refused("a body beyond limit-post", "9110 15.5.14", post(b"Content-Length: 100001\r\n", b"a" * 100001), (413, 200)),
    refused("a body beyond limit-post that has not come", "9110 15.5.14", post(b"Content-Length: 1000000\r\n"), (413,), probe=False),
    refused("chunks beyond limit-post", "9110 15.5.14", chunked(b"186a1\r\n" + b"a" * 100001 + b"\r\n0\r\n\r\n"), (413, 200)),
    refused("a chunk beyond limit-post that has not come", "9110 15.5.14", chunked(b"186a1\r\n" + b"a" * 100001), (413,), probe=False),
    case("as many requests as keepalive-requests", "9112 9.3", b"".join(get(target=b"/%d" % n) for n in range(8)), [200] * 8, CLOSE,
         has=(b"connection: close",)),
    # slow
    case("a head that does not end", "9110 15.5.9", b"GET / HTTP/1.1\r\nHost: a\r\nX: ", 408, CLOSE, probe=False),
    case("a body that does not come", "9110 15.5.9", post(b"Content-Length: 5\r\n", b"ab"), 408, CLOSE, probe=False),
    case("a chunk that does not come", "9110 15.5.9", chunked(b"5\r\nab"), 408, CLOSE, probe=False),
    case("a client that says nothing", "9112 9.5", b"", [], CLOSE, probe=False, own="the kernel keeps it to itself (TCP_DEFER_ACCEPT)"),
    case("a client that says nothing more", "9112 9.5", get(), 200, CLOSE, probe=False),
]
