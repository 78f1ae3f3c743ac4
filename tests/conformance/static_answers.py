"""What an answer says of a file: type, date, tag, length, how long it may be kept; and in which coding it comes (12.5.3)."""

from static_case import asks, case
from static_site import DATE, TEXT

TYPE, TAG, MODIFIED, KEPT, ACCEPT, VARY = "9110 8.3", "9110 8.8.3", "9110 8.8.2", "9111 5.3", "9110 12.5.3", "9110 12.5.5"


def _says(name, section, path, want=200, **fields):
    return case(name, section, asks(path), want, fields={n.replace("_", "-"): v for n, v in fields.items()})


def _type(name, path, kind, **more):
    return case(name, TYPE, asks(path), 200, fields={"Content-Type": kind}, **more)


def _kept(name, path, seconds, **more):
    return case(name, KEPT, asks(path), 200, seconds=seconds, **more)


ALL = {"br": b"br", "zstd": b"zst", "gzip": b"gz", None: b"plain"}


def _coded(name, accepts, *codings, want=200, **more):
    """The first is ours; a peer may send any of them, or the plain file, unless that is refused."""
    field = b"" if accepts is None else b"Accept-Encoding: %s\r\n" % accepts
    codings = codings or (None,)
    if "identity" not in codings:
        codings = tuple(dict.fromkeys([*codings, None]))
    forms = {c: ALL[c] for c in codings if c != "identity"}
    return case(name, ACCEPT, asks(b"/s/j.js", field), want, forms=forms if want == 200 else None, fields={"Vary": ("Accept-Encoding", None)}, **more)


REFUSED = "identity"  # in place of a coding: the plain file is none of them
TEXT_TYPE = r"text/%s(; ?charset=utf-8)?"

FIELDS = [
    case("length, date and tag of a file", "9110 15.3.1", asks(b"/s/a.bin"), 200, body=TEXT,
         fields={"Content-Length": "1024", "Last-Modified": DATE, "Accept-Ranges": ("bytes", None)}),
    _says("Last-Modified is IMF-fixdate", "9110 5.6.7", b"/s/sub/b.txt", Last_Modified=r"Sun, 06 Nov 1994 08:49:37 GMT"),
    _says("Last-Modified is never later than Date", MODIFIED + ".1", b"/s/future", Last_Modified=(r"\w{3}, \d\d \w{3} 20[2-8]\d [\d:]{8} GMT", None)),
    _says("a tag, and a strong one", TAG, b"/s/a.bin", ETag=r'"[!#-~]+"'),
    case("the same tag again", TAG, [asks(b"/s/a.bin") + asks(b"/s/a.bin")], [200, 200], twin=True, methods=("GET", "GET")),
    case("another file, another tag", TAG, [asks(b"/s/a.bin") + asks(b"/s/img.png")], [200, 200], twin=False, methods=("GET", "GET")),
    _says("an empty file", "9110 8.6", b"/s/empty.txt", Content_Length="0"),
    _says("no Vary where there is one form alone", VARY, b"/s/a.bin", Vary=None),
    _type("html", b"/s/site/index.html", TEXT_TYPE % "html"),
    _type("html of an index", b"/s/site/", TEXT_TYPE % "html"),
    _type("css", b"/s/s.css", TEXT_TYPE % "css"),
    _type("a script", b"/s/j.js", r"(text|application)/javascript(; ?charset=utf-8)?"),
    _type("text", b"/s/sub/b.txt", TEXT_TYPE % "plain"),
    _type("a picture", b"/s/img.png", "image/png"),
    _type("an ending in capitals", b"/s/img.JPEG", "image/jpeg", house=True),
    _type("one that the system's table knows", b"/s/a.odt", r"application/vnd\.oasis\.opendocument\.text"),
    _type("one that nobody knows", b"/s/odd.xyzzy", ("application/octet-stream", None, "text/plain")),
    _type("no ending", b"/s/probe", ("application/octet-stream", None, "text/plain")),
    _kept("by type", b"/s/img.png", 100),
    _kept("by type, with a query", b"/s/img.png?v=x", 100),
    _kept("by URL", b"/s/a.bin?v=5", 31536000),
    _says("not by this one", KEPT, b"/s/a.bin?v=x", Expires=None, Cache_Control=None),
    case("from its last change", KEPT, asks(b"/s/bare/x.txt"), 200, house=True,
         fields={"Expires": "Sun, 06 Nov 1994 08:56:17 GMT", "Cache-Control": "max-age=0"}),
    case("an answer 304 says how long too", "9110 15.4.5", asks(b"/s/img.png", b"If-None-Match: *\r\n"), 304, seconds=100),
]

CODINGS = [
    _coded("no field", None),
    _coded("an empty one", b""),
    _coded("gzip", b"gzip", "gzip"),
    _coded("x-gzip is gzip", b"x-gzip", "gzip"),
    _coded("gzip in capitals", b"GZIP", "gzip"),
    _coded("what browsers say", b"gzip, deflate, br, zstd", "br", "zstd", "gzip"),
    _coded("weights", b"br;q=0.1, gzip;q=0.9, zstd;q=0.5", "gzip", "zstd", "br"),
    _coded("weights with blanks", b"br ; q=0.1 , gzip ; q=0.9", "gzip", "br"),
    _coded("a weight of zero is a no", b"br;q=0, zstd;q=0, gzip", "gzip"),
    _coded("zero in another form", b"gzip;q=0.000"),
    _coded("a star", b"*", "br", "zstd", "gzip"),
    _coded("a star, but", b"*, br;q=0", "zstd", "gzip"),
    _coded("a star of zero leaves what is named", b"gzip, *;q=0", "gzip", REFUSED, want=200),
    _coded("the plain file is preferred", b"gzip;q=0.5, identity;q=0.6", None, "gzip"),
    _coded("codings that are not here", b"compress, deflate"),
    _coded("a weight that is none", b"gzip;q=x", None, "gzip"),
    _coded("a weight in capitals", b"gzip;Q=0"),
    _coded("a weight above one", b"gzip;q=2", None, "gzip"),
    _coded("a name that begins like one", b"gzippy"),
    _coded("two fields", b"compress\r\nAccept-Encoding: gzip", "gzip"),
    _coded("the plain file is refused, another is here", b"gzip, identity;q=0", "gzip", REFUSED),
    _coded("the plain file is refused, and nothing else accepted", b"identity;q=0", want=(406, 200)),
    _coded("everything is refused", b"*;q=0", want=(406, 200)),
    case("each form has its tag", TAG + ".3", [asks(b"/s/j.js", b"Accept-Encoding: gzip\r\n") + asks(b"/s/j.js")], [200, 200], twin=False,
         methods=("GET", "GET")),
    case("an answer 304 says Vary", "9110 15.4.5", asks(b"/s/j.js", b"If-None-Match: *\r\nAccept-Encoding: gzip\r\n"), 304,
         fields={"Vary": ("Accept-Encoding", None)}),
    case("the type is the plain file's", TYPE, asks(b"/s/j.js", b"Accept-Encoding: gzip\r\n"), 200,
         fields={"Content-Type": r"(text|application)/javascript(; ?charset=utf-8)?"}),
    case("HEAD has the coding too", "9110 9.3.2", asks(b"/s/j.js", b"Accept-Encoding: gzip\r\n", b"HEAD"), 200, body=b"",
         fields={"Content-Encoding": ("gzip", None), "Content-Length": ("2", "5")}),
    case("a range is one of the form", "9110 14.2", asks(b"/s/j.js", b"Accept-Encoding: gzip\r\nRange: bytes=1-1\r\n"), (206, 200),
         fields={"Content-Encoding": ("gzip", None), "Content-Range": ("bytes 1-1/2", "bytes 1-1/5")}),
    case("several ranges of the form are no multipart body of its coding", "9110 8.4",
         asks(b"/s/j.js", b"Accept-Encoding: gzip\r\nRange: bytes=0-0,1-1\r\n"), 200, body=b"gz", fields={"Content-Encoding": "gzip"}, house=True),
    case("a form that is older is not sent", "vassal.ini.5", asks(b"/s/old.css", b"Accept-Encoding: gzip\r\n"), 200, body=b"new",
         fields={"Content-Encoding": None}, house=True),
    case("a form is a file of its own too", "vassal.ini.5", asks(b"/s/j.js.gz"), 200, body=b"gz", fields={"Content-Encoding": None}),
    case("and one that stands alone", "vassal.ini.5", asks(b"/s/only.gz", b"Accept-Encoding: gzip\r\n"), 200, body=b"gz alone"),
]
