"""What a case is: bytes in pieces, and what must come back.

A case says what a server may answer at all. Where a standard leaves a choice, the statuses of one answer are a tuple:
the first is ours, and the only one that we may give; any is right for a peer.
"""

import dataclasses

KEEP = "keep"  # the connection goes on, and the next request is understood
CLOSE = "close"  # it ends after these answers, and nothing that was sent behind is answered
SILENCE = None  # among statuses: a peer may end the connection without this answer and those behind it


class Shut:
    """In place of a piece: the client shuts its sending side."""


class Await:
    """In place of a piece: nothing more is sent before so many answers have come."""

    def __init__(self, answers):
        self.answers = answers


PROBE = b"GET /probe HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
HOST = b"Host: a\r\n"


@dataclasses.dataclass
class Case:
    name: str
    rfc: str
    pieces: list
    want: list  # of statuses, or tuples of statuses
    fate: str
    sees: tuple = ()  # what the app must have seen, in the last body
    lacks: tuple = ()  # what no answer may hold
    has: tuple = ()  # what the bytes that came must hold
    body: bytes = None  # of the last answer
    methods: tuple = ()  # of the requests, where they matter for the answers' framing
    gate: list = None  # want, through the gate or where all protocols are spoken, where that is another
    house: bool = False  # a rule of this house, not of a standard: peers are not asked
    own: str = ""  # why it is asked at our own address only
    probe: bool = True  # CLOSE: a request follows that must not be answered
    cut: bool = False  # an answer begins, and the connection ends before it does
    resets: bool = False  # nothing but a reset can say so
    alone: bool = False  # how the connection goes on is asked elsewhere: a peer may end it as it likes
    group: str = ""

    def wrong(self, answers, is_ours):
        """What else must be true of the answers: nothing, or what is wrong with them."""
        return ""


def case(name, rfc, send, want, fate, **more):
    return Case(name, rfc, send if isinstance(send, list) else [send], want if isinstance(want, list) else [want], fate, **more)


def ok(name, rfc, send, sees=(), want=200, **more):
    return case(name, rfc, send, want, KEEP, sees=tuple([sees] if isinstance(sees, bytes) else sees), **more)


def refused(name, rfc, send, want=400, **more):
    return case(name, rfc, send, want, CLOSE, **more)


def get(fields=b"", target=b"/", version=b"HTTP/1.1", host=HOST, method=b"GET"):
    return method + b" " + target + b" " + version + b"\r\n" + host + fields + b"\r\n"


def post(fields, body=b"", version=b"HTTP/1.1", host=HOST):
    return b"POST / " + version + b"\r\n" + host + fields + b"\r\n" + body


def chunked(body, fields=b""):
    return post(fields + b"Transfer-Encoding: chunked\r\n", body)
