"""Conditions (RFC 9110 13) and ranges (14) of one file of 1024 bytes."""

from http_case import CLOSE, get
from static_case import asks, case
from static_site import BIG, DATE, TEXT

BEFORE, AFTER = b"Sun, 06 Nov 1994 08:49:36 GMT", b"Sun, 06 Nov 1994 08:49:38 GMT"
SAME = DATE.encode()


def _asked(fields, method=b"GET", path=b"/s/a.bin"):
    return asks(path, b"".join(b"%s: %s\r\n" % (n, v) for n, v in fields), method)


def _if(name, section, field, value, want, *more, method=b"GET", **checks):
    """A condition; without one that says otherwise, an answer 200 is the whole file."""
    first = want[0] if isinstance(want, tuple) else want
    if first in (200, 304):
        checks.setdefault("body", TEXT if first == 200 and method == b"GET" else b"")
    return case(name, "9110 " + section, _asked([(field, value), *more], method), want, **checks)


def _range(name, section, value, first=None, last=None, want=206, **more):
    """Which bytes come; without any, the whole."""
    fields = more.pop("fields", {})
    if first is not None:
        fields = {"Content-Range": "bytes %d-%d/1024" % (first, last), "Content-Length": str(last - first + 1), **fields}
        more.setdefault("body", TEXT[first:last + 1])
    elif want != 416 and (want if isinstance(want, int) else want[0]) == 200:
        fields = {"Content-Range": None, **fields}
        more.setdefault("body", TEXT)
    return case(name, "9110 " + section, _asked([(b"Range", b"bytes=" + value)]), want, fields=fields, **more)


def _unsatisfied(name, value, want=416, path=b"/s/a.bin", size=1024):
    return case(name, "9110 15.5.17", _asked([(b"Range", b"bytes=" + value)], path=path), want,
                fields={"Content-Range": r"bytes \*/%d" % size})


def _parts(name, parts, value=None, path=b"/s/a.bin", whole=TEXT, want=206, section="9110 14.6"):
    value = value or b", ".join(b"%d-%d" % p for p in parts)
    return case(name, section, _asked([(b"Range", b"bytes=" + value)], path=path), want, parts=tuple(parts), whole=whole,
                fields={"Content-Range": None})


NGINX = "nginx has its own opinion of fields that come twice"
INVALID = (200, 416, 400)  # "MAY ignore or reject" (14.2)
MATCH, NONE, SINCE, UNMODIFIED, ORDER, IF_RANGE = "13.1.1", "13.1.2", "13.1.3", "13.1.4", "13.2.2", "13.1.5"
RANGE, IFRANGE = (b"Range", b"bytes=0-1"), b"If-Range"

CONDITIONS = [
    _if("If-Match hits", MATCH, b"If-Match", b"{etag}", 200),
    _if("If-Match: *", MATCH, b"If-Match", b"*", 200),
    _if("If-Match, in a list", MATCH, b"If-Match", b'"x", {etag}', 200),
    _if("If-Match misses", MATCH, b"If-Match", b'"x"', 412),
    _if("If-Match compares strongly", MATCH, b"If-Match", b"W/{etag}", 412),
    _if("If-Match of HEAD", MATCH, b"If-Match", b'"x"', 412, method=b"HEAD", body=b""),
    _if("If-None-Match hits", NONE, b"If-None-Match", b"{etag}", 304, fields={"ETag": "{etag}", "Content-Type": None}),
    _if("If-None-Match compares weakly", NONE, b"If-None-Match", b"W/{etag}", 304),
    _if("If-None-Match: *", NONE, b"If-None-Match", b"*", 304),
    _if("If-None-Match, in a list", NONE, b"If-None-Match", b'"x" , W/"y", {etag}', 304),
    _if("If-None-Match, a comma within a tag", NONE, b"If-None-Match", b'"x,{etag}', (200, 304)),
    _if("If-None-Match, twice", NONE, b"If-None-Match", b'"x"', 304, (b"If-None-Match", b"{etag}"), own=NGINX),
    _if("If-None-Match misses", NONE, b"If-None-Match", b'"x"', 200),
    _if("If-None-Match of HEAD", NONE, b"If-None-Match", b"{etag}", 304, method=b"HEAD"),
    _if("not modified since then", SINCE, b"If-Modified-Since", SAME, 304, fields={"ETag": ("{etag}", None)}),
    _if("not modified since later", SINCE, b"If-Modified-Since", AFTER, (304, 200)),
    _if("modified since", SINCE, b"If-Modified-Since", BEFORE, 200),
    _if("since no date", SINCE, b"If-Modified-Since", b"yesterday", 200),
    _if("since two dates", SINCE, b"If-Modified-Since", SAME, (200, 400), (b"If-Modified-Since", SAME), own=NGINX),
    _if("rfc850-date", "5.6.7", b"If-Modified-Since", b"Sunday, 06-Nov-94 08:49:37 GMT", 304),
    _if("asctime-date", "5.6.7", b"If-Modified-Since", b"Sun Nov  6 08:49:37 1994", 304),
    _if("since, of HEAD", SINCE, b"If-Modified-Since", SAME, 304, method=b"HEAD"),
    _if("unmodified since then", UNMODIFIED, b"If-Unmodified-Since", SAME, 200),
    _if("modified, unmodified asked", UNMODIFIED, b"If-Unmodified-Since", BEFORE, 412),
    _if("unmodified since no date", UNMODIFIED, b"If-Unmodified-Since", b"0", 200),
    _if("If-Match silences If-Unmodified-Since", ORDER, b"If-Match", b"{etag}", 200, (b"If-Unmodified-Since", BEFORE)),
    _if("If-None-Match silences If-Modified-Since", ORDER, b"If-None-Match", b'"x"', 200, (b"If-Modified-Since", AFTER)),
    _if("If-Match comes first", ORDER, b"If-Match", b'"x"', 412, (b"If-None-Match", b"{etag}")),
    _if("304 comes before a range", ORDER, b"If-None-Match", b"{etag}", 304, RANGE),
    _if("412 comes before a range", ORDER, b"If-Match", b'"x"', 412, RANGE),
    _if("a condition that holds, and a range", ORDER, b"If-Match", b"{etag}", 206, RANGE, body=TEXT[:2]),
    _if("If-Range hits", IF_RANGE, IFRANGE, b"{etag}", 206, RANGE, body=TEXT[:2]),
    _if("If-Range misses", IF_RANGE, IFRANGE, b'"x"', 200, RANGE),
    _if("If-Range compares strongly", IF_RANGE, IFRANGE, b"W/{etag}", 200, RANGE),
    _if("If-Range by the date", IF_RANGE, IFRANGE, SAME, 206, RANGE, body=TEXT[:2]),
    _if("If-Range by a later date", IF_RANGE, IFRANGE, AFTER, 200, RANGE),
    _if("If-Range misses, and the range is beyond", IF_RANGE, IFRANGE, b'"x"', 200, (b"Range", b"bytes=5000-")),
    _if("If-Range without Range", IF_RANGE, IFRANGE, b'"x"', 200),
    case("a condition of what is not there", "9110 13.2.1", asks(b"/s/nothing", b"If-None-Match: *\r\n"), 404, site="bare"),
]

RANGES = [
    _range("some bytes", "14.2", b"10-19", 10, 19, fields={"ETag": "{etag}", "Last-Modified": DATE}),
    _range("the first byte", "14.1.2", b"0-0", 0, 0),
    _range("the last byte", "14.1.2", b"1023-1023", 1023, 1023),
    _range("all bytes", "14.1.2", b"0-1023", 0, 1023),
    _range("an open end", "14.1.2", b"1000-", 1000, 1023),
    _range("from the beginning", "14.1.2", b"0-", 0, 1023, want=(206, 200)),
    _range("an end beyond", "14.1.2", b"1000-9999", 1000, 1023),
    _range("an end beyond 64 bits", "14.1.2", b"1000-99999999999999999999", 1000, 1023, want=(206, 200, 416)),
    _range("a suffix", "14.1.2", b"-24", 1000, 1023),
    _range("a suffix longer than all", "14.1.2", b"-9999", 0, 1023, want=(206, 200)),
    _range("blanks around", "5.6.1", b" 10-19 ", 10, 19, want=(206, 200)),
    _range("empty members of the list", "5.6.1", b",10-19, ,", 10, 19, want=(206, 200, 416)),
    case("the unit in any case", "9110 14.1", _asked([(b"Range", b"Bytes=1-2")]), 206, body=TEXT[1:3]),
    case("another unit", "9110 14.2", _asked([(b"Range", b"lines=1-2")]), 200, body=TEXT),
    case("Range twice", "9110 5.3", _asked([RANGE, RANGE]), (200, 206, 400, 416), body=TEXT, own=NGINX),
    _range("the last before the first", "14.1.1", b"9-8", want=INVALID),
    _range("words", "14.1.1", b"a-b", want=INVALID),
    _range("a negative", "14.1.1", b"--1", want=INVALID),
    _range("no numbers", "14.1.1", b"-", want=INVALID),
    _range("nothing", "14.1.1", b"", want=INVALID),
    _range("one of two is no range", "14.1.1", b"0-1,x", want=INVALID),
    _unsatisfied("beyond the end", b"1024-"),
    _unsatisfied("far beyond", b"5000-6000"),
    _unsatisfied("a suffix of nothing", b"-0", (416, 200)),
    _unsatisfied("beyond 64 bits", b"99999999999999999999-", (416, 200, 400)),
    _unsatisfied("all of several", b"2000-,3000-"),
    _range("one of several that is there", "14.2", b"5000-,0-1", 0, 1),
    _parts("several", [(0, 1), (100, 199), (1020, 1023)]),
    _parts("several in another order", [(500, 509), (0, 0)]),
    _parts("several, by suffix and open end", [(0, 0), (1014, 1023), (1000, 1023)], b"0-0,-10,1000-", section="9110 14.1.2"),
    _parts("several of a large file", [(900000, 999999), (5, 100004), (200000, 499999), (7, 7)], path=b"/s/big.bin", whole=BIG),
    _range("overlapping ones, again and again", "17.15", b"0-,0-,0-", want=(200, 206, 416)),
    _range("more of them than anybody needs", "17.15", b",".join(b"%d-%d" % (n, n) for n in range(17)), want=(200, 206, 416)),
    case("HEAD has no ranges", "9110 14.2", _asked([RANGE], b"HEAD"), 200, body=b"", fields={"Content-Length": "1024", "Content-Range": None}),
    case("an empty file has no ranges", "9110 14.1.2", _asked([(b"Range", b"bytes=0-")], path=b"/s/empty.txt"), (200, 416), body=b""),
    case("nor a suffix", "9110 14.1.2", _asked([(b"Range", b"bytes=-1")], path=b"/s/empty.txt"), (200, 416, 206), body=b""),
    case("a range by HTTP/1.0", "9110 2.5", get(b"Range: bytes=0-1\r\n", b"/s/a.bin", b"HTTP/1.0"), 206, CLOSE, body=TEXT[:2], probe=False),
]
