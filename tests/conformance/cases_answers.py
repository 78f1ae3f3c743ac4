"""What answers look like (RFC 9110 6, 8, 15): bodies where there may be none, lengths, Date, request ids, failures."""

from http_case import CLOSE, case, chunked, get, ok, post, refused

HEAD = ("HEAD",)

CASES = [
    ok("HEAD has no body", "9110 9.3.2", get(method=b"HEAD", target=b"/probe"), methods=HEAD, has=(b"content-length: 5\r\n",)),
    ok("HEAD of a stream", "9110 9.3.2", get(method=b"HEAD", target=b"/stream"), methods=HEAD),
    ok("HEAD of an empty page", "9110 9.3.2", get(method=b"HEAD", target=b"/empty"), methods=HEAD),
    ok("HEAD of 204", "9110 9.3.2", get(method=b"HEAD", target=b"/204"), want=204, methods=HEAD, lacks=(b"never seen",)),
    ok("HEAD of 304", "9110 9.3.2", get(method=b"HEAD", target=b"/304"), want=304, methods=HEAD, lacks=(b"never seen",)),
    ok("HEAD of a failure", "9110 9.3.2", get(method=b"HEAD", target=b"/raises"), want=500, methods=HEAD),
    refused("HEAD that is refused for its length", "9110 9.3.2", get(b"Content-Length: x\r\n", method=b"HEAD"), methods=HEAD),
    refused("HEAD that is refused for a field", "9110 9.3.2", get(b"X : y\r\n", method=b"HEAD"), methods=HEAD),
    refused("HEAD that is refused for two Hosts", "9110 9.3.2", get(b"Host: b\r\n", method=b"HEAD"), methods=HEAD),
    refused("HEAD that is refused for its version", "9110 9.3.2", get(version=b"HTTP/2.0", method=b"HEAD"), (505, 400), methods=HEAD),
    ok("204 has no body", "9110 15.3.5", get(target=b"/204"), want=204, lacks=(b"never seen", b"content-length", b"Content-Length", b"chunked")),
    ok("304 has no body", "9110 15.4.5", get(target=b"/304"), want=304, lacks=(b"never seen", b"chunked")),
    ok("304 says no length that it does not know", "9110 8.6", get(target=b"/unchanged"), want=304, lacks=(b"ontent-Length",),
       has=(b'etag: "1"',)),
    ok("205 has no body", "9110 15.3.6", get(target=b"/205"), want=205, lacks=(b"never seen",), body=b""),
    ok("an empty page says so", "9110 8.6", get(target=b"/empty"), body=b"", has=(b"content-length: 0\r\n",)),
    ok("a stream to 1.1", "9112 7.1", get(target=b"/stream"), body=b"piece 0\npiece 1\npiece 2\n"),
    case("a stream to 1.0", "9112 6.3", get(target=b"/stream", version=b"HTTP/1.0"), 200, CLOSE, body=b"piece 0\npiece 1\npiece 2\n",
         probe=False),
    ok("a stream to TE: trailers", "9110 10.1.4", get(b"TE: trailers\r\n", target=b"/stream"), body=b"piece 0\npiece 1\npiece 2\n"),
    ok("Date", "9110 6.6.1", get(), has=(b"\r\ndate: ",)),
    refused("Date, when refused", "9110 6.6.1", get(b"X : y\r\n"), has=(b"\r\ndate: ",)),
    ok("the app's own Date", "9110 6.6.1", get(target=b"/dated"), has=(b"date: Thu, 01 Jan 1970 00:00:00 GMT\r\n",)),
    ok("a failure of the app", "9110 15.6.1", get(target=b"/raises"), want=500),
    ok("a failure with a body behind", "9110 15.6.1", post(b"Content-Length: 3\r\n", b"abc").replace(b"POST /", b"POST /raises"), want=500),
    ok("a failure with chunks behind", "9110 15.6.1", chunked(b"1\r\na\r\n0\r\n\r\n").replace(b"POST /", b"POST /raises"), want=500),
    case("an answer that breaks off is no whole one", "9112 8", get(target=b"/raises_late"), [], CLOSE, cut=True, probe=False),
    case("an answer that is shorter than it says", "9112 8", get(target=b"/short"), [], CLOSE, cut=True, probe=False),
    # what only we promise: peers make and pass none
    ok("a request id is taken over", "X-Request-ID", get(b"X-Request-ID: abc-123\r\n"), has=(b"x-request-id: abc-123\r\n",)),
    ok("a request id is made", "X-Request-ID", get(), has=(b"\r\nx-request-id: ",)),
    ok("the app's own request id", "X-Request-ID", get(target=b"/dated"), has=(b"x-request-id: of-the-app\r\n",)),
    ok("two request ids are none", "X-Request-ID", get(b"X-Request-ID: abc\r\nX-Request-ID: def\r\n"), has=(b"\r\nx-request-id: ",),
       sees=(b"REQUEST_METHOD",)),
    ok("a request id with a blank is none", "X-Request-ID", get(b"X-Request-ID: a b\r\n"), has=(b"\r\nx-request-id: ",)),
    refused("a refused request has its id", "X-Request-ID", get(b"X-Request-ID: abc-9\r\nContent-Length: x\r\n"),
            has=(b"x-request-id: abc-9\r\n",)),
]
