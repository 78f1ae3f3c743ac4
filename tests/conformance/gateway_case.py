"""What a web server sends by FastCGI, SCGI and uwsgi, in pieces to put cases together, and what such a case is.

An answer of FastCGI that is no answer of an app has words for its status (gateway_wire.py): "UNKNOWN_ROLE", and where it is
of another request than 1, "UNKNOWN_ROLE of 2".
"""

import dataclasses
import struct

from http_case import CLOSE, KEEP, SILENCE, Case

ABORTED = "aborted"  # STDOUT ended or unused, and the end of the request
BEGIN, ABORT, END, PARAMS, STDIN, STDOUT, STDERR, DATA, GET_VALUES = 1, 2, 3, 4, 5, 6, 7, 8, 9

# what every proxy says, and PEP 3333 asks for
GET = {"REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": "/", "QUERY_STRING": "", "REQUEST_URI": "/", "SERVER_NAME": "a",
       "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "192.0.2.1", "REMOTE_PORT": "1234"}


@dataclasses.dataclass
class GatewayCase(Case):
    protocol: str = ""  # fastcgi, scgi, uwsgi


def variables(path="/", method="GET", length=None, **more):
    """GET's, changed; None takes one away."""
    named = dict(GET, REQUEST_METHOD=method, PATH_INFO=path, REQUEST_URI=path)
    if length is not None:
        named["CONTENT_LENGTH"] = str(length)
    named.update(more)
    return {name: value for name, value in named.items() if value is not None}


def as_pairs(named):
    """(name, value) as bytes, of a dict or of such a list."""
    for name, value in named.items() if isinstance(named, dict) else named:
        yield (name.encode(), value.encode("latin-1")) if isinstance(name, str) else (name, value)


# FastCGI


def record(kind, content=b"", number=1, padding=0, version=1, filler=b"\0", reserved=0):
    return struct.pack(">BBHHBB", version, kind, number, len(content), padding, reserved) + content + filler * padding


def begin(keep=True, role=1, number=1, flags=None, **more):
    return record(BEGIN, struct.pack(">HB5x", role, int(keep) if flags is None else flags), number, **more)


def length(n, wide=False):
    return struct.pack(">I", n | 0x80000000) if wide or n > 127 else bytes([n])


def packed(named, wide=False):
    return b"".join(length(len(n), wide) + length(len(v), wide) + n + v for n, v in as_pairs(named))


def stream(kind, data, number=1, piece=60000, **more):
    """In records of at most so many bytes, and its end."""
    pieces = [record(kind, data[at:at + piece], number, **more) for at in range(0, len(data), piece)]
    return b"".join(pieces) + record(kind, b"", number, **more)


def fastcgi(named=None, body=b"", keep=True, number=1, piece=60000, **more):
    named = variables() if named is None else named
    return (begin(keep, 1, number, **more) + stream(PARAMS, packed(named), number, piece, **more)
            + stream(STDIN, body, number, piece, **more))


# SCGI


def netstring(data):
    return b"%d:%s," % (len(data), data)


def scgi(named=None, body=b"", first=None):
    """first: in place of CONTENT_LENGTH and SCGI."""
    head = [("CONTENT_LENGTH", str(len(body))), ("SCGI", "1")] if first is None else first
    rest = [p for p in as_pairs(variables() if named is None else named)]
    return netstring(b"".join(n + b"\0" + v + b"\0" for n, v in [*as_pairs(head), *rest])) + body


# uwsgi


def block(named):
    return b"".join(struct.pack("<H", len(n)) + n + struct.pack("<H", len(v)) + v for n, v in as_pairs(named))


def packet(data, modifier1=0, modifier2=0, size=None):
    return struct.pack("<BHB", modifier1, len(data) if size is None else size, modifier2) + data


def uwsgi(named=None, body=b"", **more):
    return packet(block(variables() if named is None else named), **more) + body


CLOSING = "FastCGI 3.5"


def maker(protocol):
    """The protocol's words for its table: case, ok, refused."""

    def case(name, spec, send, want, fate, **more):
        return GatewayCase(name, spec, send if isinstance(send, list) else [send], want if isinstance(want, list) else [want], fate,
                           protocol=protocol, **more)

    def ok(name, spec, send, sees=(), want=200, fate=KEEP if protocol == "fastcgi" else CLOSE, **more):
        # a second request beside this one has an answer: that there can be none
        more.setdefault("probe", protocol != "fastcgi")
        more.setdefault("alone", spec != CLOSING)
        return case(name, spec, send, want, fate, sees=tuple([sees] if isinstance(sees, bytes) else sees), **more)

    def refused(name, spec, send, want=(400, SILENCE), **more):
        """None of the specifications says what is to be answered: a peer may just leave."""
        return case(name, spec, send, want, CLOSE, **more)

    return case, ok, refused
