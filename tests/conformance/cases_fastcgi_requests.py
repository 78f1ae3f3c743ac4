"""FastCGI 1.0, a request: roles (5.1, 6), several at once, abort (5.4), body (5.3), what the variables mean (RFC 3875 4.1), and
the answer (5.5, RFC 3875 6)."""

from gateway_case import ABORT, ABORTED, PARAMS, STDIN, begin, fastcgi, maker, packed, record, stream, variables
from http_case import CLOSE, KEEP, SILENCE, Await, Shut

BEGINNING, STREAMS, ABORTING, ENDING, RESPONDER = "FastCGI 5.1", "FastCGI 5.3", "FastCGI 5.4", "FastCGI 5.5", "FastCGI 6.2"
META, OUTPUT = "RFC 3875 4.1", "RFC 3875 6.2"
case, ok, refused = maker("fastcgi")

REST = stream(PARAMS, packed(variables())) + record(STDIN)  # of a request, behind its begin


def _role(name, role):
    return case(name, BEGINNING, begin(role=role) + REST, "UNKNOWN_ROLE", KEEP)


def _body(name, size, body, **more):
    return ok(name, STREAMS, fastcgi(variables(method="POST", length=size), body), b"BODY=%r" % body, **more)


def _bad_body(name, size, data, want=(400, SILENCE), **more):
    return refused(name, STREAMS, begin() + stream(PARAMS, packed(variables(method="POST", length=size))) + data, want, **more)


def _means(name, named, *sees, section=META):
    return ok(name, section, fastcgi(named), sees)


def _answer(name, path, section=OUTPUT, method="GET", want=200, **more):
    return ok(name, section, fastcgi(variables(path, method)), want=want, methods=(method,), **more)


def _breaks(name, path, **more):
    return case(name, ENDING, fastcgi(variables(path)), [], CLOSE, cut=True, probe=False, **more)


# what Debian's nginx sends with its own fastcgi_params, and Apache by mod_proxy_fcgi
NGINX = {"QUERY_STRING": "a=%20b", "REQUEST_METHOD": "GET", "CONTENT_TYPE": "", "CONTENT_LENGTH": "", "SCRIPT_NAME": "/a b/c",
         "REQUEST_URI": "/a%20b/c?a=%20b", "DOCUMENT_URI": "/a b/c", "DOCUMENT_ROOT": "/var/www", "SERVER_PROTOCOL": "HTTP/1.1",
         "REQUEST_SCHEME": "http", "GATEWAY_INTERFACE": "CGI/1.1", "SERVER_SOFTWARE": "nginx/1.22.1", "REMOTE_ADDR": "192.0.2.1",
         "REMOTE_PORT": "4711", "REMOTE_USER": "", "SERVER_ADDR": "192.0.2.2", "SERVER_PORT": "80", "SERVER_NAME": "",
         "REDIRECT_STATUS": "200", "HTTP_HOST": "a.example"}
APACHE = {"HTTP_HOST": "a.example", "proxy-nokeepalive": "1", "SCRIPT_FILENAME": "proxy:fcgi://127.0.0.1:9000/a b/c",
          "PATH_TRANSLATED": "/var/www/x", "SERVER_SOFTWARE": "Apache", "SERVER_NAME": "a.example", "SERVER_ADDR": "192.0.2.2",
          "SERVER_PORT": "443", "HTTPS": "on", "REMOTE_ADDR": "192.0.2.1", "DOCUMENT_ROOT": "/var/www", "REQUEST_SCHEME": "https",
          "CONTEXT_PREFIX": "", "SERVER_ADMIN": "a@b", "REMOTE_PORT": "4711", "GATEWAY_INTERFACE": "CGI/1.1", "SERVER_PROTOCOL": "HTTP/1.1",
          "REQUEST_METHOD": "GET", "QUERY_STRING": "", "REQUEST_URI": "/a%20b/c", "SCRIPT_NAME": "/a b/c"}

CASES = [
    _role("an authorizer is not what we are", 2),
    _role("nor a filter", 3),
    _role("role 0", 0),
    _role("role 257, which is no 1", 257),
    case("another role without KEEP_CONN", BEGINNING, begin(False, 2), "UNKNOWN_ROLE", CLOSE),
    ok("the right one after it", BEGINNING, begin(role=3) + REST + fastcgi(), b"PATH_INFO='/'", ["UNKNOWN_ROLE", 200]),
    # several at once
    ok("a second request beside the first", ENDING, begin() + begin(number=2) + REST, b"PATH_INFO='/'", ["CANT_MPX_CONN of 2", 200]),
    ok("its records are skipped", ENDING,
       begin() + begin(number=2) + stream(PARAMS, b"\xff", 2) + REST + stream(STDIN, b"x", 2), b"PATH_INFO='/'", ["CANT_MPX_CONN of 2", 200]),
    ok("one among the parameters", ENDING, begin() + record(PARAMS, packed(variables())) + begin(number=256) + record(PARAMS) + record(STDIN),
       b"PATH_INFO='/'", ["CANT_MPX_CONN of 256", 200]),
    ok("one among the body", ENDING, fastcgi(variables(method="POST", length=4), b"body")[:-8] + begin(number=2) + record(STDIN),
       b"BODY=b'body'", ["CANT_MPX_CONN of 2", 200]),
    ok("two of them", ENDING, begin() + begin(number=2) + begin(number=3) + REST, b"PATH_INFO='/'",
       ["CANT_MPX_CONN of 2", "CANT_MPX_CONN of 3", 200]),
    ok("the refused one's abort aborts nothing", ENDING, begin() + begin(number=2) + record(ABORT, b"", 2) + REST, b"PATH_INFO='/'",
       ["CANT_MPX_CONN of 2", 200]),
    refused("one begun twice", BEGINNING, begin() + begin()),
    # abort
    case("abort after the begin", ABORTING, begin() + record(ABORT), ABORTED, KEEP),
    case("abort among the parameters", ABORTING, begin() + record(PARAMS, packed(variables())) + record(ABORT), ABORTED, KEEP),
    case("abort before the body", ABORTING, begin() + stream(PARAMS, packed(variables(method="POST", length=9))) + record(ABORT), ABORTED, KEEP),
    case("abort in the middle of the body", ABORTING,
         begin() + stream(PARAMS, packed(variables(method="POST", length=9))) + record(STDIN, b"some ") + record(ABORT), ABORTED, KEEP),
    case("abort without KEEP_CONN", ABORTING, begin(False) + record(ABORT), ABORTED, CLOSE),
    ok("what comes of it after the abort is skipped", ABORTING, begin() + record(ABORT) + REST + fastcgi(number=2), b"PATH_INFO='/'",
       [ABORTED, "200 of 2"]),
    ok("abort before any request", ABORTING, record(ABORT) + fastcgi(), b"PATH_INFO='/'"),
    ok("abort after the answer", ABORTING, [fastcgi(), Await(1), record(ABORT)]),
    ok("abort of another request", ABORTING, begin() + record(ABORT, b"", 5) + REST, b"PATH_INFO='/'"),
    # body
    _body("an empty body", 0, b""),
    _body("a body", 9, b"some body"),
    _body("a body of 64 KiB and more", 70000, b"a" * 70000),
    ok("a body of which no length is said", STREAMS, fastcgi(variables(method="POST"), b"some body"), b"CONTENT_LENGTH='9'", want=(200, 411)),
    ok("a body of which an empty length is said", META + ".2", fastcgi(variables(method="POST", length=""), b"some body"),
       b"CONTENT_LENGTH='9'", want=(200, 400, 411)),
    ok("a GET with a body", STREAMS, fastcgi(variables(length=4), b"body"), b"BODY=b'body'"),
    _bad_body("shorter than CONTENT_LENGTH", 10, stream(STDIN, b"some body")),
    _bad_body("none, where CONTENT_LENGTH says one", 10, record(STDIN)),
    _bad_body("longer than CONTENT_LENGTH", 2, stream(STDIN, b"some body")),
    _bad_body("longer by another record", 9, stream(STDIN, b"some body", piece=3)[:-8] + record(STDIN, b"x") + record(STDIN)),
    _bad_body("one, where CONTENT_LENGTH says none", 0, stream(STDIN, b"x")),
    _bad_body("a CONTENT_LENGTH that is none", "9x", stream(STDIN, b"some body")),
    _bad_body("a negative CONTENT_LENGTH", "-9", stream(STDIN, b"some body")),
    _bad_body("CONTENT_LENGTH of 2^64 + 9", 2**64 + 9, stream(STDIN, b"some body"), (400, 413, SILENCE)),
    _bad_body("beyond limit-post", 300001, stream(STDIN, b"a" * 300001), (413, 200, SILENCE)),
    _bad_body("beyond limit-post, by records", None, stream(STDIN, b"a" * 300001), (413, 200, SILENCE)),
    _bad_body("a body that does not come", 9, record(STDIN, b"some"), (408, SILENCE), probe=False),
    refused("a web server that leaves within it", STREAMS, [fastcgi(variables(method="POST", length=9), b"some body")[:-20], Shut], probe=False),
    refused("a body before the parameters have ended", STREAMS, begin() + record(PARAMS, packed(variables())) + record(STDIN, b"x")),
    refused("parameters after their end", STREAMS, begin() + stream(PARAMS, packed(variables())) + record(PARAMS, b"\1\1XY") + record(STDIN)),
    # variables
    _means("nginx, with its own fastcgi_params", NGINX, b"PATH_INFO='/a b/c'", b"SCRIPT_NAME=''", b"QUERY_STRING='a=%20b'",
           b"REQUEST_URI='/a%20b/c?a=%20b'"),
    _means("what it sends empty is absent, or has a value", NGINX, b"BODY=b''", b"SERVER_NAME='a.example'"),
    _means("Apache, by mod_proxy_fcgi", APACHE, b"PATH_INFO='/a b/c'", b"SCRIPT_NAME=''", b"HTTPS='on'"),
    _means("a script and a path behind it", variables(SCRIPT_NAME="/app", PATH_INFO="/page", REQUEST_URI="/app/page"), b"SCRIPT_NAME='/app'",
           b"PATH_INFO='/page'", section=META + ".13"),
    _means("a script alone", variables(SCRIPT_NAME="/app", PATH_INFO="", REQUEST_URI="/app"), b"SCRIPT_NAME='/app'", b"PATH_INFO=''",
           section=META + ".5"),
    _means("neither: the path of REQUEST_URI, decoded", variables(SCRIPT_NAME=None, PATH_INFO=None, REQUEST_URI="/%41/b?c"),
           b"PATH_INFO='/A/b'", b"SCRIPT_NAME=''", section=META + ".5"),
    _means("no query said: that of REQUEST_URI", variables(QUERY_STRING=None, REQUEST_URI="/?c=d%20"), b"QUERY_STRING='c=d%20'",
           section=META + ".7"),
    _means("fields of the request", variables(HTTP_HOST="a.example:81", HTTP_X_Y="1, 2"), b"HTTP_HOST='a.example:81'", b"HTTP_X_Y='1, 2'",
           section=META + ".18"),
    _means("HTTP_PROXY is not for the app", variables(HTTP_PROXY="http://evil", X_Y="1"), b"X_Y='1'", section="CVE-2016-5385"),
    _means("names that are none of CGI's", [*variables().items(), ("wsgi.input", "x"), ("path_info", "x"), ("", "x"), ("X-Y", "z")],
           b"PATH_INFO='/'"),
    refused("no REQUEST_METHOD", META + ".12", fastcgi(variables(REQUEST_METHOD=None)), (400, 500, SILENCE)),
    refused("neither REQUEST_URI nor a path", META + ".5",
            fastcgi(variables(SCRIPT_NAME=None, PATH_INFO=None, REQUEST_URI=None)), (400, 500, SILENCE)),
    refused("a path that does not begin with a slash", META + ".5", fastcgi(variables(PATH_INFO="etc")), (400, 404, SILENCE)),
    refused("a NUL in the path", META + ".5", fastcgi(variables(PATH_INFO="/a\0b")), (400, 404, 200, SILENCE)),
    refused("HEAD that is refused", "RFC 3875 4.3.2", fastcgi(variables(method="HEAD", length="9x")), body=b"", methods=("HEAD",)),
    # answer
    _answer("the status comes first", "/probe", body=b"probe", has=(b"Status: 200 OK\r\n",), lacks=(b"HTTP/1.1",)),
    _answer("an answer without a length", "/stream", body=b"piece 0\npiece 1\npiece 2\n"),
    _answer("an answer of many records", "/large", body=b"0123456789" * 20000),
    _answer("an answer without content", "/empty", body=b""),
    _answer("204", "/204", want=204, body=b""),
    _answer("304", "/unchanged", want=304, body=b""),
    _answer("HEAD", "/probe", "RFC 3875 4.3.2", "HEAD", body=b"", has=(b"Content-Length: 5\r\n",)),
    _answer("HEAD of what has no length", "/stream", "RFC 3875 4.3.2", "HEAD", body=b""),
    _answer("HEAD of much", "/large", "RFC 3875 4.3.2", "HEAD", body=b""),
    _answer("an app that raises", "/raises", "RFC 3875 6.3.3", want=500),
    _breaks("an app that raises within its answer", "/raises_late", lacks=(b"\1\3\0\1",)),
    _breaks("an app that sends less than it said", "/short", lacks=(b"\1\3\0\1",)),
    ok("the next request is not the last one's", RESPONDER, [fastcgi(variables(X_Y="1", method="POST", length=4), b"body"), Await(1), fastcgi()],
       b"BODY=b''", [200, 200]),
    ok("a web server that has said all waits for the answer", RESPONDER, [fastcgi(variables("/large")), Shut], fate=CLOSE),
]
