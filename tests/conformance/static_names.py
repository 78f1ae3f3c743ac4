"""Which URL is which file: maps, directories, spellings; which are none: what is hidden or outside; and methods."""

from http_case import CLOSE, Await
from static_case import APP, MOVED, apps, asks, case
from static_site import SECRET, TEXT

MAP, SLASH, ESCAPE, DOTS, ALLOW = "static-map", "9110 15.4.2", "3986 2.1", "3986 3.3", "9110 15.5.6"


def _file(name, section, path, body, want=200, **more):
    return case(name, section, asks(path), want, body=body, **more)


def _moved(name, path, location, **more):
    return case(name, SLASH, asks(path), (301, 302, 307, 308), fields={"Location": MOVED % location}, **more)


def _outside(name, path, section="CWE-22", **more):
    """Never a file; by the app, or refused."""
    return apps(name, section, path, lacks=(SECRET, b"root:"), **more)


def _hidden(name, path):
    return apps(name, "vassal.ini.5", path, lacks=(b"hidden",), house=True)


NAMES = [
    _file("a file", MAP, b"/s/a.bin", TEXT),
    _file("a file below", MAP, b"/s/sub/b.txt", b"sub"),
    _file("a query is no part of the name", "3986 3.4", b"/s/a.bin?x=%2e%2e", TEXT),
    apps("what is not there", MAP, b"/s/nothing"),
    apps("segments are whole", MAP, b"/sx/a.bin"),
    apps("segments are whole, at the end", MAP, b"/sa.bin"),
    apps("the map is case-sensitive", "3986 6.2.2.1", b"/S/a.bin"),
    apps("and so are files", "3986 6.2.2.1", b"/s/A.BIN"),
    _file("the second map, where the first has nothing", MAP, b"/s/only", b"only", house=True),
    _file("a map of one file", MAP, b"/one", b"sub"),
    apps("which is no directory", MAP, b"/one/"),
    apps("which holds nothing", MAP, b"/one/x"),
    _file("static-map2: the whole path", "static-map2", b"/two/t", b"two"),
    apps("static-map2: nothing there", "static-map2", b"/two/nothing"),
    _file("check-static", "check-static", b"/only", b"only", house=True),
    apps("static-skip-ext", "static-skip-ext", b"/s/page.php", lacks=(b"<?php",)),
    # spellings
    _file("escapes", ESCAPE, b"/s/sp%20ace%25.html", b"<p>"),
    _file("escapes that were not needed", "3986 6.2.2.2", b"/s/%61.b%69n", TEXT),
    _file("escapes of the map that were not needed", "3986 6.2.2.2", b"/%73/a.bin", TEXT),
    _file("escapes in small letters", ESCAPE, b"/s/caf%c3%a9.txt", b"coffee"),
    _file("bytes above ASCII as they are", "3986 2", b"/s/caf\xc3\xa9.txt", b"coffee", (200, 400)),
    _file("a plus is a plus", "3986 2.2", b"/s/plus+and&.txt", b"plus"),
    _file("several slashes", DOTS, b"/s//a.bin", TEXT, (200, 404, 301)),
    _file("an escaped slash", ESCAPE, b"/s/sub%2fb.txt", b"sub", (200, 404)),
    _file("the longest name", MAP, b"/s/long" + b"g" * 240, b"long"),
    apps("a name that is too long", MAP, b"/s/" + b"g" * 300, (200, 404, 403, 414)),
    apps("a path that is too long", MAP, b"/s/" + b"d/" * 2000 + b"f", (200, 404, 403, 414, 400)),
    apps("an escape that is none", ESCAPE, b"/s/a.bi%6"),
    apps("and another", ESCAPE, b"/s/%zz"),
    apps("an escape of an escape", ESCAPE, b"/s/%2561.bin"),
    apps("parameters belong to the name", DOTS, b"/s/a.bin;x=1"),
    # directories
    _file("an index", "static-index", b"/s/site/", b"<p>index"),
    _file("the second name of an index", "static-index", b"/s/site/deep/", b"deep"),
    _file("an index by its name", "static-index", b"/s/site/index.html", b"<p>index"),
    _moved("without the slash", b"/s/site", "/s/site/"),
    _moved("without it, with a query", b"/s/site?a=b&c", r"/s/site/\?a=b&c"),
    _moved("further down", b"/s/site/deep", "/s/site/deep/"),
    _moved("never to another host", b"//place", "/place/", house=True),
    case("HEAD is moved as well", SLASH, asks(b"/s/site", method=b"HEAD"), (301, 302, 307, 308), body=b"",
         fields={"Location": MOVED % "/s/site/"}),
    apps("a directory without an index", "static-index", b"/s/bare/", lacks=(b"x.txt",)),
    apps("nor without the slash", "static-index", b"/s/bare", (200, 404, 403, 301)),
    apps("the root of a map", "static-index", b"/s/", lacks=(b"a.bin",)),
    apps("the map alone", "static-index", b"/s", (200, 404, 403, 301)),
    apps("a file is no directory", SLASH, b"/s/a.bin/"),
    apps("no static-index, no index", "static-index", b"/s/site/", site="plain"),
    apps("nor a redirect", "static-index", b"/s/site", (200, 404, 403, 301), site="plain"),
]

CONTAINMENT = [
    _outside("dots", b"/s/../secret"),
    _outside("dots to a sibling whose name begins so", b"/s/../filesx/f"),
    _outside("dots without a slash", b"/s../secret"),
    _outside("dots, far up", b"/s/../../../../../../../../etc/passwd"),
    _outside("dots behind a directory", b"/s/sub/../../secret"),
    _outside("dots that stay inside name nothing either", b"/s/sub/../sub/b.txt", peers=(200, 400, 403, 404), house=True),
    _outside("dots, escaped", b"/s/%2e%2e/secret"),
    _outside("dots, half escaped", b"/s/.%2e/secret"),
    _outside("dots and slash, escaped", b"/s/%2e%2e%2fsecret"),
    _outside("the slash, escaped", b"/s/..%2fsecret"),
    _outside("dots, escaped twice", b"/s/%252e%252e/secret"),
    _outside("a backslash", b"/s/..%5csecret"),
    _outside("dots at the end", b"/s/.."),
    _outside("one dot", b"/s/./", house=True),
    _outside("four dots, two slashes", b"/s/....//secret"),
    _outside("dots with parameters", b"/s/..;/secret"),
    _outside("dots in an encoding that is too long", b"/s/%c0%ae%c0%ae/secret"),
    _outside("dots by absolute-form", b"http://a/s/../secret"),
    _outside("an absolute path, escaped", b"/s/%2fetc/passwd"),
    _outside("an absolute path behind slashes", b"/s///etc/passwd"),
    case("a NUL", "CWE-158", asks(b"/s/a.bin%00.html"), (400, 200, 404, 403), CLOSE, lacks=(TEXT[:64],)),
    case("a NUL at the end", "CWE-158", asks(b"/s/a.bin%00"), (400, 200, 404, 403), CLOSE, lacks=(TEXT[:64],)),
    apps("a line break", "CWE-93", b"/s/a.bin%0d%0aX:%201", lacks=(b"\r\nX: 1",)),
    case("a line break, and a redirect", "CWE-93", asks(b"/s/site%0d%0aX:%201"), (200, 404, 403, 400, 301), lacks=(b"\r\nX: 1",)),
    # links
    case("a link that stays inside", "CWE-59", asks(b"/s/inside"), 200, body=b"sub"),
    case("a directory by a link that stays inside", "CWE-59", asks(b"/s/insidedir/b.txt"), 200, body=b"sub"),
    case("an absolute link that stays inside", "CWE-59", asks(b"/s/absolute"), 200, body=b"sub"),
    _outside("a link that leads outside", b"/s/out", "CWE-59"),
    _outside("a directory by such a link", b"/s/outdir/f", "CWE-59"),
    _outside("a link by /proc", b"/s/magic", "CWE-59"),
    case("a link to static-safe", "static-safe", asks(b"/s/in"), 200, body=b"safe"),
    case("a directory by a link to static-safe", "static-safe", asks(b"/s/safedir/f"), 200, body=b"safe"),
    _outside("from static-safe onward", b"/s/safedir/onward", "static-safe"),
    apps("a link to nothing", "CWE-59", b"/s/nowhere"),
    apps("a link to itself", "CWE-59", b"/s/loop", (200, 404, 403, 500)),
    apps("a FIFO", "CWE-67", b"/s/fifo"),
    # names that begin with a dot
    _hidden("a dot file", b"/s/.env"),
    _hidden("a dot file, escaped", b"/s/%2eenv"),
    _hidden("a dot file further down", b"/s/sub/.env"),
    _hidden("what lies in a dot directory", b"/s/.git/config"),
    _hidden("what lies in it, by an escaped slash", b"/s/.git%2fconfig"),
    case(".well-known", "8615 3", asks(b"/s/.well-known/acme"), 200, body=b"token"),
]


def _allowed(name, method, path=b"/s/a.bin", want=405):
    return case(name, ALLOW, asks(path, method=method), want, site="bare", fields={"Allow": ("GET, HEAD", ".*GET.*", None)})


def _with_body(name, size, body, fields=b"", **more):
    """Nobody reads it, so the connection ends."""
    return case("no app: " + name, ALLOW, asks(b"/s/a.bin", b"Content-Length: %d\r\n" % size + fields, b"POST") + body, 405, CLOSE, site="bare",
                fields={"Allow": ("GET, HEAD", ".*GET.*", None)}, **more)


def _of_app(method, peers=(200, 405, 403, 501)):
    return case("%s is the app's" % method.decode(), "vassal.ini.5", asks(b"/s/a.bin", method=method), peers, sees=(APP + method,),
                lacks=(TEXT[:64],))


METHODS = [
    case("HEAD says what GET says", "9110 9.3.2", asks(b"/s/a.bin", method=b"HEAD"), 200, body=b"",
         fields={"Content-Length": "1024", "ETag": ("{etag}", None), "Content-Type": "application/octet-stream", "Accept-Ranges": ("bytes", None)}),
    case("HEAD of what is not there", "9110 9.3.2", asks(b"/s/nothing", method=b"HEAD"), 404, body=b"", site="bare"),
    _of_app(b"POST"), _of_app(b"PUT"), _of_app(b"DELETE"), _of_app(b"OPTIONS"), _of_app(b"PROPFIND"),
    case("GET in small letters is another method", "9110 9.1", asks(b"/s/a.bin", method=b"get"), (200, 405, 400, 501), sees=(APP + b"get",),
         lacks=(TEXT[:64],)),
    _allowed("no app: DELETE", b"DELETE"),
    _allowed("no app: OPTIONS", b"OPTIONS", want=(405, 200, 204)),
    _allowed("no app: a method that nobody knows", b"PROPFIND", want=(405, 501)),
    _allowed("no app: a method, and no file", b"DELETE", b"/s/nothing", (405, 404)),
    _with_body("POST with a body", 5, b"hello"),
    _with_body("POST with a large body", 200000, b"a" * 200000),
    _with_body("POST with a body that has not come", 5, b"", probe=False),
    _with_body("POST with a body that is asked for", 5, b"", b"Expect: 100-continue\r\n", probe=False, lacks=(b" 100 ",)),
    case("no app: POST in chunks", ALLOW, asks(b"/s/a.bin", b"Transfer-Encoding: chunked\r\n", b"POST") + b"3\r\nabc\r\n0\r\n\r\n", 405, CLOSE,
         site="bare"),
    case("no app: GET with a body", "9110 9.3.1", asks(b"/s/sub/b.txt", b"Content-Length: 5\r\n") + b"hello", (200, 400, 413), CLOSE, site="bare",
         body=b"sub"),
    case("no app: GET with a large body", "9110 9.3.1", asks(b"/s/sub/b.txt", b"Content-Length: 200000\r\n") + b"a" * 200000, (200, 400, 413),
         CLOSE, site="bare", body=b"sub"),
    case("no app: GET with a body that comes after the answer", "9112 9.6",
         [asks(b"/s/sub/b.txt", b"Content-Length: 200000\r\n"), Await(1), b"a" * 200000], (200, 400, 413), CLOSE, site="bare", probe=False),
    case("no app: POST with a body that comes after the answer", "9112 9.6",
         [asks(b"/s/sub/b.txt", b"Content-Length: 200000\r\n", b"POST"), Await(1), b"a" * 200000], (405, 413), CLOSE, site="bare", probe=False),
    case("GET with a body is the app's", "9110 9.3.1", asks(b"/s/a.bin", b"Content-Length: 5\r\n") + b"hello", 200, sees=(b"BODY=b'hello'",),
         house=True),
    case("no app: DELETE with an empty body", "9112 9.3", asks(b"/s/a.bin", b"Content-Length: 0\r\n", b"DELETE"), 405, site="bare"),
    case("no app: nothing there", "9110 15.5.5", asks(b"/s/nothing"), 404, site="bare"),
    case("no app: outside of every map", "9110 15.5.5", asks(b"/"), 404, site="bare"),
    case("no app: no listing", "9110 15.5.5", asks(b"/s/"), (404, 403), site="bare", lacks=(b"a.bin",)),
    case("no app: a directory", SLASH, asks(b"/s/site"), (301, 302, 307, 308), site="bare", fields={"Location": MOVED % "/s/site/"}),
    case("no app: a file", MAP, asks(b"/s/sub/b.txt"), 200, site="bare", body=b"sub"),
]
