"""The uwsgi protocol (uwsgi-docs, Protocol): a head of four bytes, names and values with lengths of two, then the body."""

import struct

from gateway_case import block, maker, packet, uwsgi, variables
from http_case import CLOSE, SILENCE, Shut

HEAD, VARS, BODY, ANSWER = "uwsgi header", "uwsgi vars", "uwsgi body", "uwsgi response"
META, SECURITY = "RFC 3875 4.1", "uwsgi dynamic apps"
case, ok, refused = maker("uwsgi")

POST = uwsgi(variables(method="POST", length=9), b"some body")
GET = block(variables())


def _means(name, named, *sees, section=META, **more):
    return ok(name, section, uwsgi(named, **more), sees)


def _order(name, value):
    """Variables by which uWSGI lets a client say what is run, for a script that it does not know yet."""
    return ok("%s is no order" % name, SECURITY, uwsgi(variables(**{"SCRIPT_NAME": "/other", name: value, "X_Y": "1"})), b"X_Y='1'")


def _bad(name, data, want=(400, SILENCE), section=VARS):
    """Variables that are none, in a packet of the right size."""
    return refused(name, section, packet(GET + data), want)


def _answer(name, path, method="GET", want=200, **more):
    return ok(name, ANSWER, uwsgi(variables(path, method)), want=want, methods=(method,), **more)


# what Debian's nginx sends with its own uwsgi_params
NGINX = {"QUERY_STRING": "d", "REQUEST_METHOD": "GET", "CONTENT_TYPE": "", "CONTENT_LENGTH": "", "REQUEST_URI": "/a%20b/c?d",
         "PATH_INFO": "/a b/c", "DOCUMENT_ROOT": "/var/www", "SERVER_PROTOCOL": "HTTP/1.1", "REQUEST_SCHEME": "http",
         "REMOTE_ADDR": "192.0.2.1", "REMOTE_PORT": "4711", "SERVER_PORT": "80", "SERVER_NAME": "a.example", "HTTP_HOST": "a.example"}
LETTER, ANY = "a letter is HTTP where all are spoken", "it is served where all are spoken"
MOUNTED = variables("/app/page", SCRIPT_NAME="/app")

CASES = [
    ok("a request", HEAD, uwsgi(), (b"PATH_INFO='/'", b"BODY=b''")),
    ok("a request with a body", BODY, POST, (b"BODY=b'some body'", b"CONTENT_LENGTH='9'")),
    ok("each byte in a write of its own", HEAD, [POST[i:i + 1] for i in range(len(POST))], b"BODY=b'some body'"),
    ok("the head in two writes", HEAD, [POST[:3], POST[3:]], b"BODY=b'some body'"),
    ok("the body in a write of its own", BODY, [POST[:-9], POST[-9:]], b"BODY=b'some body'"),
    ok("a body of 64 KiB and more", BODY, uwsgi(variables(method="POST", length=70000), b"a" * 70000), b"CONTENT_LENGTH='70000'"),
    ok("what follows the body is nobody's", BODY, POST + b"more", b"BODY=b'some body'"),
    ok("no CONTENT_LENGTH, no body", BODY, uwsgi(variables(method="POST"), b"some body"), b"BODY=b''"),
    ok("a web server that has said all", HEAD, [POST, Shut], b"BODY=b'some body'", probe=False),
    ok("modifier2 means nothing to Python", HEAD, uwsgi(modifier2=7), b"PATH_INFO='/'"),
    # modifier1
    ok("modifier 30: the script is taken from the path", HEAD, uwsgi(MOUNTED, modifier1=30), (b"SCRIPT_NAME='/app'", b"PATH_INFO='/page'")),
    ok("modifier 30: of whole segments", HEAD, uwsgi(variables("/apple", SCRIPT_NAME="/app"), modifier1=30), b"PATH_INFO='/apple'"),
    ok("modifier 30 without a script", HEAD, uwsgi(modifier1=30), (b"SCRIPT_NAME=''", b"PATH_INFO='/'")),
    ok("modifier 0: both as they are", HEAD, uwsgi(variables("/page", SCRIPT_NAME="/app")), (b"SCRIPT_NAME='/app'", b"PATH_INFO='/page'")),
    case("modifier 100: alive", HEAD, b"\x64\0\0\0", "pong 1", CLOSE, probe=False),
    case("modifier 100, a byte a write", HEAD, [b"\x64", b"\0", b"\0", b"\0"], "pong 1", CLOSE, probe=False),
    refused("modifier 5 is Perl", HEAD, uwsgi(modifier1=5), (501, SILENCE)),
    refused("modifier 23 runs a file", HEAD, packet(b"/nonexistent.py", 23), (501, SILENCE)),
    refused("modifier 31 sends a message", HEAD, uwsgi(modifier1=31), (501, SILENCE)),
    refused("modifier 110 is a signal", HEAD, packet(b"", 110, 1), (501, SILENCE), own=LETTER),
    refused("modifier 173 calls functions", HEAD, packet(b"\x04\0exit", 173), (501, SILENCE)),
    refused("modifier 224 is a subscription", HEAD, packet(block({"key": "a", "address": "b"}), 224), (501, SILENCE)),
    refused("modifier 255 is an answer", HEAD, uwsgi(modifier1=255), (501, SILENCE)),
    refused("HTTP", HEAD, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", own=ANY),
    # sizes
    refused("no variables at all", HEAD, packet(b"")),
    refused("a size that cuts the last variable", VARS, packet(GET, size=len(GET) - 1)),
    refused("a size that cuts a length", VARS, packet(GET + b"\1\0X\0", size=len(GET) + 4)),
    refused("a size of more than comes", VARS, [packet(GET, size=len(GET) + 1), Shut], probe=False),
    refused("a size of more than comes, and silence", VARS, packet(GET, size=len(GET) + 1), (408, SILENCE), probe=False),
    refused("a size beyond buffer-size", VARS, packet(GET, size=65535), (431, SILENCE), probe=False),
    refused("variables beyond buffer-size", VARS, uwsgi(variables(X_Y="a" * 17000)), (431, SILENCE)),
    refused("more of them than LIMIT_CGI_VARS", VARS, uwsgi([*variables().items(), *[("X_%d" % n, "") for n in range(600)]]),
            (431, 200, SILENCE)),
    refused("a head without end", HEAD, [b"\0\1", Shut], probe=False),
    _bad("a name longer than the rest", struct.pack("<H", 100) + b"X_Y\1\0001"),
    _bad("a value longer than the rest", b"\3\0X_Y" + struct.pack("<H", 100) + b"1"),
    _bad("a name of 65535 bytes", b"\xff\xffX"),
    _bad("a name without a value", b"\3\0X_Y"),
    _bad("half a length", b"\3"),
    # variables
    _means("nginx, with its own uwsgi_params", NGINX, b"PATH_INFO='/a b/c'", b"SCRIPT_NAME=''", b"QUERY_STRING='d'"),
    _means("no PATH_INFO: the path of REQUEST_URI, decoded", variables(SCRIPT_NAME=None, PATH_INFO=None, REQUEST_URI="/%41/b?c"),
           b"PATH_INFO='/A/b'", section=META + ".5"),
    _means("an empty value", variables(X_Y=""), b"X_Y=''", section=VARS),
    _means("a value with bytes of all kinds", variables(X_Y="\x01=\n\xff"), b"X_Y='\\x01=\\n\xff'", section=VARS),
    _means("a value of 300 bytes", variables(X_Y="a" * 300), b"X_Y='%s'" % (b"a" * 300), section=VARS),
    _means("a name twice: the last counts", [*variables().items(), ("X_Y", "1"), ("X_Y", "2")], b"X_Y='2'", section=VARS),
    _means("fields that come again, as nginx before 1.23 hands them on, are one",
           [*variables().items(), ("HTTP_X_Y", "1"), ("HTTP_COOKIE", "a=1"), ("HTTP_X_Y", "2"), ("HTTP_COOKIE", "b=2"), ("HTTP_X_Y", "3")],
           b"HTTP_X_Y='1, 2, 3'", b"HTTP_COOKIE='a=1; b=2'", section=META + ".18"),
    _means("PATH_INFO twice: the last counts", [*variables("/a").items(), ("PATH_INFO", "/b")], b"PATH_INFO='/b'", section=VARS),
    _means("HTTPS", variables(HTTPS="on"), b"HTTPS='on'"),
    _means("UWSGI_SCHEME", variables(UWSGI_SCHEME="https"), b"PATH_INFO='/'", section="uwsgi vars"),
    _order("UWSGI_FILE", "/nonexistent.py"),
    _order("UWSGI_SCRIPT", "nonexistent"),
    _order("UWSGI_MODULE", "nonexistent"),
    _order("UWSGI_CALLABLE", "nonexistent"),
    _order("UWSGI_PYHOME", "/nonexistent"),
    _order("UWSGI_CHDIR", "/nonexistent"),
    _order("UWSGI_SETENV", "PATH=/nonexistent"),
    _order("UWSGI_APPID", "nonexistent"),
    _order("UWSGI_TOUCH_RELOAD", "/etc/passwd"),
    _order("UWSGI_POSTFILE", "/nonexistent"),
    _order("UWSGI_CACHE_GET", "a"),
    ok("and the app is shown none of them", SECURITY, uwsgi(variables(UWSGI_FILE="/x.py", UWSGI_APPID="x", X_Y="1")), b"X_Y='1'",
       lacks=(b"UWSGI_",), house=True),
    refused("no REQUEST_METHOD", META + ".12", uwsgi(variables(REQUEST_METHOD=None)), (400, 500, SILENCE)),
    refused("neither REQUEST_URI nor a path", META + ".5", uwsgi({"REQUEST_METHOD": "GET"}), (400, 500, SILENCE)),
    refused("a NUL in the path", META + ".5", uwsgi(variables(PATH_INFO="/a\0b")), (400, 404, 200, SILENCE)),
    refused("a CONTENT_LENGTH that is none", BODY, uwsgi(variables(method="POST", length="9x"), b"some body")),
    refused("a negative CONTENT_LENGTH", BODY, uwsgi(variables(method="POST", length=-9), b"some body")),
    refused("CONTENT_LENGTH beyond limit-post", BODY, uwsgi(variables(method="POST", length=300001)), (413, SILENCE)),
    refused("a body that ends too early", BODY, [POST[:-1], Shut], probe=False),
    refused("a body that does not come", BODY, POST[:-1], (408, SILENCE), probe=False),
    refused("HEAD that is refused", ANSWER, uwsgi(variables(method="HEAD", length="9x")), body=b"", methods=("HEAD",)),
    # answer
    _answer("an answer is one of HTTP", "/probe", body=b"probe", has=(b"HTTP/1.1 200 OK\r\n",)),
    _answer("an answer without a length ends with the connection", "/stream", body=b"piece 0\npiece 1\npiece 2\n"),
    _answer("much", "/large", body=b"0123456789" * 20000),
    _answer("204", "/204", want=204, body=b""),
    _answer("HEAD", "/probe", "HEAD", body=b"", has=(b"Content-Length: 5\r\n",)),
    _answer("an app that raises", "/raises", want=500),
    case("an app that raises within its answer", ANSWER, uwsgi(variables("/raises_late")), [], CLOSE, cut=True, probe=False, resets=True),
]
