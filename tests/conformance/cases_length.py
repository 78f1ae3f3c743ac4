"""How long a body is (RFC 9112 6): Content-Length, Transfer-Encoding, and both. Two readings of one request are how
requests are smuggled (CWE-444), so what is not plain is refused, and the connection closed."""

from http_case import get, ok, post, refused

LENGTH, CODING = "9112 6.3", "9112 6.1"
ONE_CHUNK = b"1\r\na\r\n0\r\n\r\n"


def _bad_length(name, value, want=400):
    return refused("Content-Length: " + name, LENGTH, post(b"Content-Length: " + value + b"\r\n", b"abcde"), want)


def _bad_coding(name, value, want=400):
    return refused("Transfer-Encoding: " + name, CODING, post(b"Transfer-Encoding: " + value + b"\r\n", ONE_CHUNK), want)


def _smuggled(name, fields, body=ONE_CHUNK, want=400, **more):
    return refused(name, LENGTH, post(fields, body, **more), want)


CASES = [
    ok("a body with Content-Length", LENGTH, post(b"Content-Length: 5\r\n", b"abcde"), [b"BODY=b'abcde'", b"CONTENT_LENGTH='5'"]),
    ok("an empty body", LENGTH, post(b"Content-Length: 0\r\n"), b"BODY=b''"),
    ok("POST without any length has no body", LENGTH, post(b""), b"BODY=b''", want=(200, 411)),
    ok("GET with a body", "9110 9.3.1", get(b"Content-Length: 3\r\n") + b"abc", b"BODY=b'abc'", want=(200, 400)),
    ok("zeros in front", "9110 8.6", post(b"Content-Length: 0005\r\n", b"abcde"), b"BODY=b'abcde'", want=(200, 400)),
    ok("blanks around the number", "9110 5.5", post(b"Content-Length: \t5 \r\n", b"abcde"), b"BODY=b'abcde'"),
    ok("a body in pieces", LENGTH, [post(b"Content-Length: 5\r\n"), b"ab", b"cde"], b"BODY=b'abcde'"),
    ok("a body that looks like a request", LENGTH, post(b"Content-Length: 29\r\n", b"GET /x HTTP/1.1\r\nHost: a\r\n\r\nZ\n"[:29]),
       b"CONTENT_LENGTH='29'"),
    _bad_length("empty", b""),
    _bad_length("a plus", b"+5"),
    _bad_length("a minus", b"-5"),
    _bad_length("minus zero", b"-0"),
    _bad_length("hexadecimal", b"0x5"),
    _bad_length("an exponent", b"5e0"),
    _bad_length("a fraction", b"5.0"),
    _bad_length("an underscore", b"0_5"),
    _bad_length("a thousand's comma", b"1,000"),
    _bad_length("a blank in it", b"5 5"),
    _bad_length("words behind", b"5 bytes"),
    _bad_length("a semicolon", b"5;"),
    _bad_length("quoted", b'"5"'),
    _bad_length("a vertical tab before it", b"\x0b5"),
    _bad_length("a NUL behind", b"5\0"),
    _bad_length("Arabic digits", "٥".encode()),
    _bad_length("2^63", b"9223372036854775808", (400, 413)),
    _bad_length("2^64", b"18446744073709551616", (400, 413)),
    _bad_length("2^64 + 5", b"18446744073709551621", (400, 413)),
    _bad_length("30 digits", b"1" * 30, (400, 413)),
    _bad_length("a list of equal ones", b"5, 5", (400, 200)),
    _bad_length("a list of different ones", b"5, 6"),
    _bad_length("a list with an empty element", b"5,", (400, 200)),
    _smuggled("Content-Length twice", b"Content-Length: 5\r\nContent-Length: 6\r\n", b"abcdef"),
    _smuggled("Content-Length twice, equal", b"Content-Length: 5\r\nContent-Length: 5\r\n", b"abcde", (400, 200)),
    _smuggled("Content-Length twice, one of them empty", b"Content-Length:\r\nContent-Length: 5\r\n", b"abcde"),
    _smuggled("Content-Length with a blank before the colon", b"Content-Length : 5\r\n", b"abcde"),
    _smuggled("Content-Length, folded", b"Content-Length:\r\n 5\r\n", b"abcde", (400, 200)),
    _smuggled("Content-Length behind a bare LF", b"X: y\nContent-Length: 5\r\n", b"abcde", (400, 200)),
    _smuggled("Content-Length behind a bare CR", b"X: y\rContent-Length: 5\r\n", b"abcde"),
    # Transfer-Encoding
    ok("chunked", CODING, post(b"Transfer-Encoding: chunked\r\n", ONE_CHUNK), b"BODY=b'a'"),
    ok("chunked in capitals", "9112 7", post(b"Transfer-Encoding: CHUNKED\r\n", ONE_CHUNK), b"BODY=b'a'"),
    ok("chunked with blanks around", "9110 5.5", post(b"Transfer-Encoding: \t chunked \t\r\n", ONE_CHUNK), b"BODY=b'a'"),
    ok("GET with chunks", CODING, get(b"Transfer-Encoding: chunked\r\n") + ONE_CHUNK, b"BODY=b'a'", want=(200, 400)),
    ok("no Transfer-Encoding reaches the app", "3875 4.1.18", post(b"Transfer-Encoding: chunked\r\n", ONE_CHUNK), b"BODY=b'a'",
       lacks=(b"HTTP_TRANSFER_ENCODING",)),
    _bad_coding("empty", b""),
    _bad_coding("a comma alone", b","),
    _bad_coding("a comma before chunked", b",chunked", (400, 200)),
    _bad_coding("a comma after chunked", b"chunked,", (400, 200)),
    _bad_coding("gzip", b"gzip", (501, 400)),
    _bad_coding("gzip, chunked", b"gzip, chunked", (501, 400)),
    _bad_coding("chunked, gzip", b"chunked, gzip", (400, 501)),
    _bad_coding("chunked twice in a list", b"chunked, chunked"),
    _bad_coding("identity", b"identity", (501, 400)),
    _bad_coding("identity, chunked", b"identity, chunked", (501, 400)),
    _bad_coding("chunked, identity", b"chunked, identity", (400, 501)),
    _bad_coding("xchunked", b"xchunked", (501, 400)),
    _bad_coding("chunkedx", b"chunkedx", (501, 400)),
    _bad_coding("chunked with a parameter", b"chunked;q=1", (501, 400)),
    _bad_coding("chunked with a semicolon", b"chunked;", (501, 400)),
    _bad_coding("chunked in quotes", b'"chunked"', (501, 400)),
    _bad_coding("chunked in single quotes", b"'chunked'", (501, 400)),
    _bad_coding("a letter that lower() makes a k", "chun\u212aed".encode(), (501, 400)),
    _bad_coding("a vertical tab before chunked", b"\x0bchunked"),
    _bad_coding("a form feed behind chunked", b"chunked\x0c"),
    _bad_coding("a NUL behind chunked", b"chunked\0"),
    _bad_coding("a bare CR before chunked", b"\rchunked"),
    _bad_coding("a bare LF before chunked", b"\nchunked"),
    _bad_coding("folded", b"\r\n chunked", (400, 200)),
    _bad_coding("two words", b"chunked chunked", (501, 400)),
    _bad_coding("a no-break space", b"\xa0chunked", (501, 400)),
    refused("Transfer-Encoding in HTTP/1.0", CODING, post(b"Transfer-Encoding: chunked\r\n", ONE_CHUNK, version=b"HTTP/1.0"), (400, 200)),
    refused("Transfer-Encoding in HTTP/1.0 that keeps alive", CODING,
            post(b"Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n", ONE_CHUNK, version=b"HTTP/1.0"), (400, 200)),
    _smuggled("Transfer-Encoding twice", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
    _smuggled("Transfer-Encoding twice, the second identity", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", want=(400, 501)),
    _smuggled("Transfer-Encoding twice, the first nonsense", b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n", want=(400, 501)),
    _smuggled("Transfer-Encoding twice, the first empty", b"Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n", want=(400, 501)),
    _smuggled("a blank before the colon", b"Transfer-Encoding : chunked\r\n"),
    _smuggled("a tab before the colon", b"Transfer-Encoding\t: chunked\r\n"),
    _smuggled("a blank before the name", b" Transfer-Encoding: chunked\r\n"),
    _smuggled("a NUL in the name", b"Transfer-Encoding\0: chunked\r\n"),
    _smuggled("a vertical tab behind the name", b"Transfer-Encoding\x0b: chunked\r\n"),
    # both: CL.TE and TE.CL
    _smuggled("CL.TE", b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\nG", (400, 200)),
    _smuggled("TE.CL", b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", b"5c\r\n" + b"x" * 0x5c + b"\r\n0\r\n\r\n", (400, 200)),
    _smuggled("Content-Length: 0 and chunked", b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", want=(400, 200)),
    _smuggled("chunked and an empty Content-Length", b"Transfer-Encoding: chunked\r\nContent-Length:\r\n"),
    _smuggled("chunked and a bad Content-Length", b"Transfer-Encoding: chunked\r\nContent-Length: x\r\n"),
    _smuggled("a coding that is none, and Content-Length", b"Transfer-Encoding: x\r\nContent-Length: 5\r\n", b"abcde", (400, 501)),
    _smuggled("TE.TE: capitals", b"Content-Length: 4\r\nTRANSFER-ENCODING: cHuNkEd\r\n", want=(400, 200)),
    _smuggled("TE.TE: a second one that hides", b"Transfer-Encoding: chunked\r\nTransfer-encoding: cow\r\nContent-Length: 4\r\n", want=(400, 501)),
    _smuggled("TE.TE: behind a tab", b"Content-Length: 4\r\nTransfer-Encoding:\tchunked\r\n", want=(400, 200)),
    _smuggled("both in HTTP/1.0", b"Content-Length: 11\r\nTransfer-Encoding: chunked\r\n", version=b"HTTP/1.0", want=(400, 200)),
]
