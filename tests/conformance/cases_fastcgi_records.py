"""FastCGI 1.0 (1996), the connection: records (3.3), names and values (3.4), management records (4), closing (3.5)."""

import struct

from gateway_case import (BEGIN, CLOSING, DATA, GET_VALUES, PARAMS, STDIN, STDOUT, begin, fastcgi, maker, packed, record, stream,
                          variables)
from http_case import CLOSE, KEEP, SILENCE, Await, Shut

RECORDS, PAIRS, VALUES, UNKNOWN = "FastCGI 3.3", "FastCGI 3.4", "FastCGI 4.1", "FastCGI 4.2"
case, ok, refused = maker("fastcgi")

POST = variables(method="POST", length=9, CONTENT_TYPE="text/plain")
POSTED = (b"BODY=b'some body'", b"CONTENT_LENGTH='9'")
REQUEST = fastcgi()
HALF = begin() + record(PARAMS, packed(variables()))  # of a request


def _split(data):
    """One request after another, each split one byte later."""
    for at in range(1, len(data)):
        yield from (data[:at], data[at:], Await(at))


def _records(data):
    while data:
        n = 8 + sum(struct.unpack(">4xHBx", data[:8]))
        yield data[:n]
        data = data[n:]


def _bytes(data):
    return [data[i:i + 1] for i in range(len(data))]


def _pair(name, sees, *pairs, section=PAIRS, **more):
    return ok(name, section, fastcgi([*variables().items(), *pairs], **more), sees)


def _params(name, data, want=(400, SILENCE), section=PAIRS):
    """Parameters that are none."""
    return refused(name, section, begin() + stream(PARAMS, packed(variables()) + data) + stream(STDIN, b""), want)


def _values(name, asked, want, sees=(), section=VALUES):
    return case(name, section, record(GET_VALUES, packed(dict.fromkeys(asked, "")), 0), want, KEEP, sees=sees)


SMALL = {"REQUEST_METHOD": "POST", "PATH_INFO": "/", "CONTENT_LENGTH": "4"}
SWEPT = fastcgi(SMALL, b"body", padding=3)

CASES = [
    ok("all records in one write", RECORDS, fastcgi(POST, b"some body"), POSTED),
    ok("each record in a write of its own", RECORDS, list(_records(fastcgi(POST, b"some body"))), POSTED),
    ok("each byte in a write of its own", RECORDS, _bytes(fastcgi(POST, b"some body", padding=2)), POSTED),
    ok("split at every place there is", RECORDS, list(_split(SWEPT)), b"BODY=b'body'", [200] * (len(SWEPT) - 1)),
    ok("a record's head split", RECORDS, [REQUEST[:5], REQUEST[5:]], b"PATH_INFO='/'"),
    ok("padding, as much as there can be", RECORDS, fastcgi(POST, b"some body", padding=255), POSTED),
    ok("padding is skipped, not read", RECORDS, fastcgi(POST, b"some body", padding=16, filler=b"\x01"), POSTED),
    ok("padding that comes later", RECORDS, [begin(padding=200)[:100], begin(padding=200)[100:] + fastcgi(POST, b"some body")[16:]], POSTED),
    ok("the reserved byte means nothing", RECORDS, fastcgi(POST, b"some body", reserved=255), POSTED),
    ok("the longest content of a record", RECORDS, fastcgi(variables(method="POST", length=65535), b"a" * 65535, piece=65535),
       b"CONTENT_LENGTH='65535'"),
    ok("parameters in many records", RECORDS, begin() + stream(PARAMS, packed(POST), piece=7) + stream(STDIN, b"some body"), POSTED),
    ok("parameters and body a byte a record", RECORDS, fastcgi(POST, b"some body", piece=1), POSTED),
    ok("the highest request number", RECORDS, fastcgi(number=65535), b"PATH_INFO='/'", "200 of 65535"),
    refused("a request with the number of management", RECORDS, fastcgi(number=0), [], probe=False),
    ok("records of a request that is not in work", RECORDS,
       record(PARAMS, b"x", 9) + record(STDIN, b"x", 9) + record(STDIN, b"", 9) + REQUEST, b"PATH_INFO='/'"),
    ok("and among those of one that is", RECORDS, HALF + record(PARAMS, b"\xff", 9) + record(STDIN, b"x", 9) + record(PARAMS) + record(STDIN),
       b"PATH_INFO='/'"),
    refused("another version at the beginning", RECORDS, b"\2" + REQUEST[1:], ("HTTP 400", SILENCE), gate=["HTTP 501"]),
    refused("version 0", RECORDS, b"\0" + REQUEST[1:], ("HTTP 400", SILENCE)),
    refused("another version later", RECORDS, begin() + b"\2" + REQUEST[17:]),
    refused("another version after an answer", RECORDS, [REQUEST, Await(1), b"\2" + REQUEST[1:]], [200]),
    refused("a begin that is too short", "FastCGI 5.1", record(BEGIN, b"\0\1\1\0\0\0\0"), []),
    refused("a begin that is too long", "FastCGI 5.1", record(BEGIN, b"\0\1\1\0\0\0\0\0\0"), []),
    refused("a record that only an application sends", RECORDS, HALF + record(STDOUT, b"x")),
    refused("a stream that only filters have", "FastCGI 5.3", HALF + record(PARAMS) + record(DATA, b"x") + record(STDIN)),
    refused("HTTP", RECORDS, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", ("HTTP 400", SILENCE), own="it is served where all are spoken"),
    # names and values
    _pair("a value of 127 bytes", b"X_Y='%s'" % (b"a" * 127), ("X_Y", "a" * 127)),
    _pair("a value of 128 bytes", b"X_Y='%s'" % (b"a" * 128), ("X_Y", "a" * 128)),
    _pair("a name of 128 bytes", b"X%s='1'" % (b"Y" * 127), ("X" + "Y" * 127, "1")),
    _pair("name and value of 300 bytes", b"X%s='%s'" % (b"Y" * 299, b"a" * 300), ("X" + "Y" * 299, "a" * 300)),
    _pair("a value of 10,000 bytes", b"a" * 10000, ("X_Y", "a" * 10000)),
    ok("lengths in four bytes where one would do", PAIRS, begin() + stream(PARAMS, packed(variables(X_Y="1"), wide=True)) + record(STDIN),
       b"X_Y='1'"),
    _pair("an empty value", b"X_Y=''", ("X_Y", "")),
    _pair("a value with bytes of all kinds", b"X_Y='\\x01=\\n\xff'", ("X_Y", "\x01=\n\xff")),
    _pair("a pair split between records", b"X_Y='12345678'", ("X_Y", "12345678"), piece=5),
    _pair("a name twice: the last counts", b"X_Y='2'", ("X_Y", "1"), ("X_Y", "2"), section="RFC 3875 4.1"),
    _pair("a field twice is one", b"HTTP_X_Y='1, 2'", ("HTTP_X_Y", "1"), ("HTTP_X_Y", "2"), section="RFC 3875 4.1.18"),
    _params("a name that is longer than the rest", b"\x10\0X_Y"),
    _params("a value that is longer than the rest", b"\3\x10X_Y1"),
    _params("a length of 2^31 - 1", b"\xff\xff\xff\xff\1X"),
    _params("a value's length of 2^31 - 1", b"\1\xff\xff\xff\xffX"),
    _params("two of them", b"\xff" * 8 + b"X"),
    _params("a length that ends in the middle", b"\x80\0"),
    _params("a name's length alone", b"\3"),
    _params("parameters beyond buffer-size", packed({"X_Y": "a" * 17000}), (431, SILENCE)),
    _params("more of them than LIMIT_CGI_VARS", packed([("X_%d" % n, "") for n in range(600)]), (431, 200, SILENCE)),
    refused("parameters without end", PAIRS, begin() + record(PARAMS, b"a" * 60000) * 4, (431, SILENCE), probe=False),
    refused("no parameters at all", "FastCGI 6.2", begin() + record(PARAMS) + record(STDIN)),
    # management records
    _values("GET_VALUES: may requests be multiplexed", ["FCGI_MPXS_CONNS"], "GET_VALUES_RESULT", (b"FCGI_MPXS_CONNS=0\n",)),
    _values("GET_VALUES: all that the specification names", ["FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS"], "GET_VALUES_RESULT",
            (b"FCGI_MAX_CONNS=", b"FCGI_MAX_REQS=", b"FCGI_MPXS_CONNS=0")),
    _values("GET_VALUES: what is not known is left out", ["FCGI_MPXS_CONNS", "FCGI_NONE"], "GET_VALUES_RESULT", (b"FCGI_MPXS_CONNS=0\n",)),
    case("GET_VALUES: nothing asked", VALUES, record(GET_VALUES, b"", 0), "GET_VALUES_RESULT", KEEP, body=b""),
    case("GET_VALUES: nothing known", VALUES, record(GET_VALUES, packed({"X": ""}), 0), "GET_VALUES_RESULT", KEEP, body=b""),
    case("GET_VALUES: one name twice", VALUES, record(GET_VALUES, packed([("FCGI_MPXS_CONNS", "")] * 2), 0), "GET_VALUES_RESULT", KEEP,
         body=b"FCGI_MPXS_CONNS=0\n"),
    case("GET_VALUES: in pieces, padded", VALUES, _bytes(record(GET_VALUES, packed({"FCGI_MPXS_CONNS": ""}), 0, 5)), "GET_VALUES_RESULT",
         KEEP, body=b"FCGI_MPXS_CONNS=0\n"),
    ok("GET_VALUES in the middle of a request", VALUES,
       HALF + record(GET_VALUES, packed({"FCGI_MPXS_CONNS": ""}), 0) + record(PARAMS) + record(STDIN), b"PATH_INFO='/'",
       ["GET_VALUES_RESULT", 200]),
    refused("GET_VALUES: lengths that lie", VALUES, record(GET_VALUES, b"\x7f\0X", 0), []),
    refused("GET_VALUES: longer than a question can be", VALUES, record(GET_VALUES, packed({"X" * 300: ""}), 0), []),
    refused("GET_VALUES for ever", VALUES, record(GET_VALUES, b"", 0) * 17, ["GET_VALUES_RESULT"] * 16, probe=False),
    case("an unknown management record", UNKNOWN, record(99, b"x", 0), "UNKNOWN_TYPE 99", KEEP),
    case("an unknown one without content", UNKNOWN, record(12, b"", 0), "UNKNOWN_TYPE 12", KEEP),
    case("an unknown one of 64 KiB, padded", UNKNOWN, record(255, b"x" * 65535, 0, 255), "UNKNOWN_TYPE 255", KEEP),
    case("one of type 0", UNKNOWN, record(0, b"", 0), "UNKNOWN_TYPE 0", KEEP),
    ok("an unknown one in the middle of a request", UNKNOWN, HALF + record(100, b"", 0) + record(PARAMS) + record(STDIN), b"PATH_INFO='/'",
       ["UNKNOWN_TYPE 100", 200]),
    # closing
    ok("KEEP_CONN: the application does not close", CLOSING, fastcgi(keep=True), b"PATH_INFO='/'"),
    ok("without it, it does", CLOSING, fastcgi(keep=False), b"PATH_INFO='/'", fate=CLOSE),
    ok("other flags mean nothing", "FastCGI 5.1", begin(flags=0xff) + REQUEST[16:], b"PATH_INFO='/'"),
    ok("nor do they without KEEP_CONN", "FastCGI 5.1", begin(flags=0xfe) + REQUEST[16:], b"PATH_INFO='/'", fate=CLOSE),
    ok("many requests in turn", CLOSING, [p for n in range(1, 21) for p in (REQUEST, Await(n))], want=[200] * 20),
    ok("in turn, with other numbers", CLOSING, [fastcgi(number=7), Await(1), fastcgi(number=300), Await(2), REQUEST], b"PATH_INFO='/'",
       ["200 of 7", "200 of 300", 200]),
    ok("the last one asks for the end", CLOSING, [REQUEST, Await(1), fastcgi(keep=False)], want=[200, 200], fate=CLOSE),
    ok("a web server that has said all", CLOSING, [fastcgi(), Shut], b"PATH_INFO='/'", fate=CLOSE),
    refused("one that leaves in the middle of a head", CLOSING, [REQUEST[:20], Shut], probe=False),
    refused("one that leaves in the middle of the parameters", CLOSING, [HALF, Shut], probe=False),
]
