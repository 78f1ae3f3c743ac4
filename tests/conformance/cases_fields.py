"""Field lines (RFC 9112 5): names, values, folding, controls; what of them reaches the app."""

from http_case import HOST, get, ok, refused

NAME, VALUE = "9110 5.1", "9110 5.5"


def _bad_name(byte):
    return refused("a name with byte %02x" % byte, NAME, get(b"X%cY: 1\r\n" % byte))


def _bad_value(byte):
    return refused("a value with byte %02x" % byte, VALUE, get(b"X: a%cb\r\n" % byte))


CASES = [
    ok("a field", NAME, get(b"X-One: two\r\n"), b"HTTP_X_ONE='two'"),
    ok("names in any case", NAME, get(b"x-oNE: two\r\n"), b"HTTP_X_ONE='two'"),
    ok("a name of every token character but _", NAME, get(b"!#$%&'*+-.^`|~09AZaz: 1\r\n"), b"REQUEST_METHOD='GET'", want=(200, 400)),
    ok("a name with _ is no other name with -", "3875 4.1.18", get(b"X-User: good\r\nX_User: evil\r\n"), b"HTTP_X_USER='good'",
       lacks=(b"evil",)),
    ok("Content_Length is no length", "9112 6.3", get(b"Content_Length: 5\r\n"), b"BODY=b''", want=(200, 400)),
    ok("Transfer_Encoding is no coding", "9112 6.1", get(b"Transfer_Encoding: chunked\r\n"), b"BODY=b''", want=(200, 400)),
    ok("Proxy stays outside", "httpoxy", get(b"Proxy: evil\r\n"), b"REQUEST_METHOD='GET'", lacks=(b"evil",)),
    *[_bad_name(b) for b in b"()<>@,;\\\"/[]?={}\x7f\x80\xff\x01\x0b\x1f"],
    refused("a name with NUL", NAME, get(b"X\0Y: 1\r\n")),
    refused("an empty name", NAME, get(b": 1\r\n")),
    refused("a line without a colon", "9112 5", get(b"X\r\n")),
    refused("a blank before the colon", "9112 5.1", get(b"X : 1\r\n")),
    refused("a tab before the colon", "9112 5.1", get(b"X\t: 1\r\n")),
    refused("a blank in a name", "9112 5.1", get(b"X Y: 1\r\n")),
    refused("a blank before the first name", "9112 2.2", b"GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    refused("a line of blanks before the first name", "9112 2.2", b"GET / HTTP/1.1\r\n \r\nHost: a\r\n\r\n"),
    refused("a blank before the last empty line", "9112 5", get(b" \r\n")),
    # values
    ok("no blank after the colon", VALUE, get(b"X:1\r\n"), b"HTTP_X='1'"),
    ok("blanks and tabs around a value", VALUE, get(b"X: \t 1 2 \t \r\n"), b"HTTP_X='1 2'"),
    ok("a tab in a value", VALUE, get(b"X: a\tb\r\n"), b"HTTP_X='a\\tb'"),
    ok("an empty value", VALUE, get(b"X:\r\n"), b"HTTP_X=''"),
    ok("a value of blanks", VALUE, get(b"X:  \r\n"), b"HTTP_X=''"),
    ok("colons in a value", VALUE, get(b"X: a:b:c\r\n"), b"HTTP_X='a:b:c'"),
    ok("a value above ASCII", VALUE, get(b"X: caf\xe9\r\n"), b"HTTP_X='caf\xe9'"),
    ok("a quoted comma", VALUE, get(b'X: "a,b"\r\n'), b"HTTP_X='\"a,b\"'"),
    ok("a long value", VALUE, get(b"X: " + b"v" * 6000 + b"\r\n"), b"v" * 6000),
    *[_bad_value(b) for b in b"\0\x01\x08\x0b\x0c\x1b\x1f\x7f"],
    refused("a bare LF in a value", "9112 2.2", get(b"X: a\nb: c\r\n"), (400, 200)),
    refused("a bare CR in a value", "9112 2.2", get(b"X: a\rb\r\n")),
    refused("CR CR LF after a value", "9112 2.2", get(b"X: a\r\r\n")),
    refused("a bare LF after a value", "9112 2.2", get(b"X: a\n"), (400, 200)),
    refused("bare LFs end the head", "9112 2.2", b"GET / HTTP/1.1\r\nHost: a\n\n", (400, 200)),
    refused("LF, then CR LF ends the head", "9112 2.2", b"GET / HTTP/1.1\r\nHost: a\n\r\n", (400, 200)),
    refused("a bare CR ends the head", "9112 2.2", b"GET / HTTP/1.1\r\nHost: a\r\n\rX: y\r\n\r\n"),
    refused("folded with a blank", "9112 5.2", get(b"X: a\r\n b\r\n"), (400, 200)),
    refused("folded with a tab", "9112 5.2", get(b"X: a\r\n\tb\r\n"), (400, 200)),
    refused("folded without more", "9112 5.2", get(b"X: a\r\n \r\n"), (400, 200)),
    refused("folded Host", "9112 5.2", get(host=b"Host:\r\n a\r\n"), (400, 200)),
    # several of one name
    ok("fields of one name are a list", "9110 5.3", get(b"X-A: 1\r\nX-B: 2\r\nx-a: 3\r\n"), b"HTTP_X_A='1, 3'", want=200),
    ok("cookies are joined by semicolons", "6265 5.4", get(b"Cookie: a=1\r\nCookie: b=2\r\n"), b"HTTP_COOKIE='a=1; b=2'", want=200),
    ok("Content-Type has a variable of its own", "3875 4.1.3", get(b"Content-Type: text/plain\r\n"), b"CONTENT_TYPE='text/plain'",
       lacks=(b"HTTP_CONTENT_TYPE",)),
    ok("a field before Host", "9112 3.2", get(host=b"X: 1\r\nHost: a\r\n"), b"HTTP_X='1'"),
    ok("a name cut in two", NAME, [b"GET / HTTP/1.1\r\n" + HOST + b"X-Lo", b"ng: 1\r\n\r\n"], b"HTTP_X_LONG='1'"),
    ok("a value cut in two", VALUE, [b"GET / HTTP/1.1\r\n" + HOST + b"X: on", b"e\r\n\r\n"], b"HTTP_X='one'"),
]
