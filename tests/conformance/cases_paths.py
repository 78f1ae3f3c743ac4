"""Targets on their way to PATH_INFO (RFC 3986 2, 3.3, 6; RFC 3875 4.1.5): escapes, dots, slashes."""

from http_case import get, ok, refused

ESCAPE, DOTS = "3986 2.1", "3986 3.3"


def _path(name, rfc, target, path, **more):
    return ok(name, rfc, get(target=target), b"PATH_INFO='%s'" % path, **more)


CASES = [
    _path("an escape is decoded", "3875 4.1.5", b"/%41%62", b"/Ab"),
    _path("small hexadecimal", ESCAPE, b"/%c3%a9", b"/\xc3\xa9"),
    _path("an escaped slash is one", "3875 4.1.5", b"/a%2Fb", b"/a/b"),
    _path("an escaped percent is decoded once", ESCAPE, b"/%2541", b"/%41"),
    _path("an escaped question mark ends no path", ESCAPE, b"/a%3Fb", b"/a?b"),
    _path("an escaped hash", ESCAPE, b"/a%23b", b"/a#b"),
    _path("a plus is no blank", ESCAPE, b"/a+b", b"/a+b"),
    _path("parameters belong to the path", DOTS, b"/a;b=c/d", b"/a;b=c/d"),
    _path("all that may stand in a path", DOTS, b"/-._~!$&()*+,;=:@", b"/-._~!$&()*+,;=:@"),
    _path("dots stay", DOTS, b"/a/../b/./c", b"/a/../b/./c", want=(200, 400)),
    _path("dots that are escaped are decoded and stay", DOTS, b"/a/%2e%2E/b", b"/a/../b", want=(200, 400)),
    _path("dots above the root stay below it", DOTS, b"/../../etc/passwd", b"/../../etc/passwd", want=(200, 400, 404)),
    _path("slashes stay", DOTS, b"/a//b///", b"/a//b///"),
    _path("an escape that is none stays", ESCAPE, b"/a%zz", b"/a%zz", want=(200, 400)),
    _path("half an escape stays", ESCAPE, b"/a%4", b"/a%4", want=(200, 400)),
    _path("a percent at the end stays", ESCAPE, b"/a%", b"/a%", want=(200, 400)),
    _path("an escaped line break is the app's to judge", ESCAPE, b"/a%0d%0ab", b"/a\\r\\nb", want=(200, 400)),
    _path("bytes above ASCII", "3986 2", b"/\xe9", b"/\xe9", want=(200, 400)),
    refused("an escaped NUL", ESCAPE, get(target=b"/a%00b"), (400, 200)),
    ok("the query is not decoded", "3875 4.1.7", get(target=b"/?a=%41%00"), b"QUERY_STRING='a=%41%00'"),
    ok("what browsers send although they should not", "3986 2", get(target=b'/?a="<>\\^`{|}'), b"QUERY_STRING='a=\"<>", want=(200, 400)),
    ok("the target as it was sent", "3875 4.1", get(target=b"/%41?b=%20"), b"PATH_INFO='/A'"),
]
