"""SCGI (2008): one request, a netstring of names and values that begins with CONTENT_LENGTH, and its body."""

from gateway_case import maker, netstring, scgi, variables
from http_case import CLOSE, SILENCE, Shut

ANY = "it is served where all are spoken"
NETSTRING, HEADERS, RESPONSE = "netstring", "SCGI headers", "SCGI response"
META = "RFC 3875 4.1"
case, ok, refused = maker("scgi")

BODY = b"some body"
POST = scgi(variables(method="POST"), BODY)
WHOLE = scgi()


def _means(name, named, *sees, section=META):
    return ok(name, section, scgi(named), sees)


def _bad(name, head, section=HEADERS, want=(400, SILENCE)):
    return refused(name, section, scgi(first=head), want)


def _answer(name, path, section=RESPONSE, method="GET", want=200, **more):
    return ok(name, section, scgi(variables(path, method)), want=want, methods=(method,), **more)


# what Debian's nginx sends with its own scgi_params
NGINX = {"REQUEST_METHOD": "GET", "REQUEST_URI": "/a%20b/c?d", "QUERY_STRING": "d", "CONTENT_TYPE": "", "DOCUMENT_URI": "/a b/c",
         "DOCUMENT_ROOT": "/var/www", "SERVER_PROTOCOL": "HTTP/1.1", "REQUEST_SCHEME": "http", "REMOTE_ADDR": "192.0.2.1",
         "REMOTE_PORT": "4711", "SERVER_PORT": "80", "SERVER_NAME": "_", "HTTP_HOST": "a.example"}

CASES = [
    ok("a request", HEADERS, WHOLE, (b"PATH_INFO='/'", b"BODY=b''")),
    ok("a request with a body", HEADERS, POST, (b"BODY=b'some body'", b"CONTENT_LENGTH='9'")),
    ok("each byte in a write of its own", HEADERS, [POST[i:i + 1] for i in range(len(POST))], b"BODY=b'some body'"),
    ok("the body in a write of its own", HEADERS, [POST[:-9], BODY], b"BODY=b'some body'"),
    ok("a body of 64 KiB and more", HEADERS, scgi(variables(method="POST"), b"a" * 70000), b"CONTENT_LENGTH='70000'"),
    ok("what follows the body is nobody's", HEADERS, POST + b"more", b"BODY=b'some body'"),
    ok("a web server that has said all", HEADERS, [POST, Shut], b"BODY=b'some body'", probe=False),
    ok("SCGI=1 later", HEADERS, scgi([*variables().items(), ("SCGI", "1")], first=[("CONTENT_LENGTH", "0")]), b"PATH_INFO='/'"),
    ok("an empty value", HEADERS, scgi(variables(X_Y="")), b"X_Y=''"),
    ok("a value with bytes of all kinds", HEADERS, scgi(variables(X_Y="\x01=\n,\xff")), b"X_Y='\\x01=\\n,\xff'"),
    ok("a name twice, which is not allowed", HEADERS, scgi([*variables().items(), ("X_Y", "1"), ("X_Y", "2")]), b"X_Y='2'", (200, 400, SILENCE)),
    # netstrings that are none
    refused("no length", NETSTRING, WHOLE[WHOLE.index(b":"):], ("HTTP 400", 400, SILENCE), gate=["HTTP 501"]),
    refused("a zero in front", NETSTRING, b"0" + WHOLE),
    refused("a blank in front", NETSTRING, b" " + WHOLE, ("HTTP 400", 400, SILENCE), gate=["HTTP 501"]),
    refused("a plus in front", NETSTRING, b"+" + WHOLE, ("HTTP 400", 400, SILENCE)),
    refused("a minus in front", NETSTRING, b"-" + WHOLE, ("HTTP 400", 400, SILENCE)),
    refused("a blank behind the length", NETSTRING, WHOLE.replace(b":", b" :", 1), ("HTTP 400", 400, SILENCE)),
    refused("letters in the length", NETSTRING, b"1a" + WHOLE, ("HTTP 400", 400, SILENCE)),
    refused("no comma at its end", NETSTRING, WHOLE[:-1] + b";"),
    refused("a length that is one too short", NETSTRING, b"%d:" % (len(WHOLE.split(b":", 1)[1]) - 2) + WHOLE.split(b":", 1)[1]),
    refused("a length that is one too long", NETSTRING, b"%d:" % len(WHOLE.split(b":", 1)[1]) + WHOLE.split(b":", 1)[1]),
    refused("a length beyond buffer-size", NETSTRING, b"99999:", (431, SILENCE)),
    refused("a length beyond 64 bits", NETSTRING, b"9" * 30 + b":", ("HTTP 400", 431, SILENCE)),
    refused("an empty one", NETSTRING, b"0:,"),
    refused("one that ends too early", NETSTRING, [WHOLE[:-9], Shut], probe=False),
    refused("a length alone", NETSTRING, [b"12", Shut], probe=False, want=("HTTP 400", 400, SILENCE)),
    refused("one that does not come", NETSTRING, WHOLE[:-9], (408, SILENCE), probe=False),
    # headers
    _bad("CONTENT_LENGTH is not the first", [("SCGI", "1"), ("CONTENT_LENGTH", "0")]),
    _bad("no CONTENT_LENGTH", [("SCGI", "1")]),
    _bad("an empty CONTENT_LENGTH", [("CONTENT_LENGTH", ""), ("SCGI", "1")]),
    _bad("CONTENT_LENGTH with a sign", [("CONTENT_LENGTH", "+0"), ("SCGI", "1")]),
    _bad("CONTENT_LENGTH that is no number", [("CONTENT_LENGTH", "x"), ("SCGI", "1")]),
    _bad("CONTENT_LENGTH of 2^64", [("CONTENT_LENGTH", str(2**64)), ("SCGI", "1")], want=(400, 413, SILENCE)),
    _bad("CONTENT_LENGTH twice", [("CONTENT_LENGTH", "0"), ("CONTENT_LENGTH", "0"), ("SCGI", "1")]),
    _bad("CONTENT_LENGTH beyond limit-post", [("CONTENT_LENGTH", "300001"), ("SCGI", "1")], want=(413, SILENCE)),
    _bad("no SCGI", [("CONTENT_LENGTH", "0")]),
    _bad("an empty SCGI", [("CONTENT_LENGTH", "0"), ("SCGI", "")]),
    _bad("another SCGI than 1", [("CONTENT_LENGTH", "0"), ("SCGI", "2")]),
    refused("a name without a value", HEADERS, netstring(b"CONTENT_LENGTH\x000\0SCGI\x001\0REQUEST_METHOD\0")),
    refused("a value without its NUL", HEADERS, netstring(b"CONTENT_LENGTH\x000\0SCGI\x001\0REQUEST_METHOD\0GET")),
    refused("headers beyond buffer-size", HEADERS, scgi(variables(X_Y="a" * 17000)), (431, SILENCE)),
    refused("more of them than LIMIT_CGI_VARS", HEADERS, scgi([*variables().items(), *[("X_%d" % n, "") for n in range(600)]]),
            (431, 200, SILENCE)),
    refused("a body that ends too early", HEADERS, [POST[:-1], Shut], probe=False),
    refused("a body that does not come", HEADERS, POST[:-1], (408, SILENCE), probe=False),
    refused("HTTP", HEADERS, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", ("HTTP 400", SILENCE), own=ANY),
    # variables
    _means("nginx, with its own scgi_params", NGINX, b"PATH_INFO='/a b/c'", b"SCRIPT_NAME=''", b"QUERY_STRING='d'", b"SCGI='1'"),
    _means("a script and a path behind it", variables(SCRIPT_NAME="/app", PATH_INFO="/page"), b"SCRIPT_NAME='/app'", b"PATH_INFO='/page'",
           section=META + ".13"),
    _means("neither: the path of REQUEST_URI, decoded", variables(SCRIPT_NAME=None, PATH_INFO=None, REQUEST_URI="/%41/b?c"),
           b"PATH_INFO='/A/b'", section=META + ".5"),
    refused("no REQUEST_METHOD", META + ".12", scgi(variables(REQUEST_METHOD=None)), (400, 500, SILENCE)),
    # answer
    _answer("the status comes first", "/probe", body=b"probe", has=(b"Status: 200 OK\r\n",), lacks=(b"HTTP/1.1",)),
    _answer("an answer without a length", "/stream", body=b"piece 0\npiece 1\npiece 2\n"),
    _answer("much", "/large", body=b"0123456789" * 20000),
    _answer("204", "/204", want=204, body=b""),
    _answer("HEAD", "/probe", "RFC 3875 4.3.2", "HEAD", body=b"", has=(b"Content-Length: 5\r\n",)),
    _answer("an app that raises", "/raises", "RFC 3875 6.3.3", want=500),
    case("an app that raises within its answer", RESPONSE, scgi(variables("/raises_late")), [], CLOSE, cut=True, probe=False, resets=True),
]
