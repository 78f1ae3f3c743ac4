"""A case on the wire: sends its pieces, reads the answers as a strict client does, says what is wrong.

How answers look is the business of a speech: Http here, those of other protocols in gateway_wire.py.
"""

import array
import fcntl
import re
import select
import socket
import termios
import time

from http_case import CLOSE, KEEP, PROBE, SILENCE, Await, Shut

STATUS_LINE = re.compile(rb"HTTP/1\.([01]) (\d{3}) [\t -~]*\Z")
FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~\x80-\xff]*?)[ \t]*\Z")
DATE = re.compile(rb"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d GMT\Z")


class Wrong(Exception):
    """What came is no HTTP, or not what was wanted."""


class Answer:
    def __init__(self, minor, status, fields, body, to_close):
        self.minor, self.status, self.fields, self.body = minor, status, fields, body
        self.to_close = to_close  # its end is the connection's

    def all(self, name):
        return [value for n, value in self.fields if n == name]

    def says_close(self):
        return self.minor == 0 or b"close" in [v.lower() for v in self.all(b"connection")]


def _head(data):
    """(minor, status, fields, rest), or None while the head is not whole."""
    head, separator, rest = data.partition(b"\r\n\r\n")
    if not separator:
        return None
    lines = head.split(b"\r\n")
    m = STATUS_LINE.match(lines[0])
    if not m:
        raise Wrong("malformed status line %r" % lines[0][:60])
    fields = []
    for line in lines[1:]:
        f = FIELD.match(line)
        if not f:
            raise Wrong("malformed field %r" % line[:60])
        fields.append((f.group(1).lower(), f.group(2)))
    return int(m.group(1)), int(m.group(2)), fields, rest


def _chunks(rest):
    """(body, rest), or None while it is not whole."""
    body = b""
    while True:
        line, separator, rest = rest.partition(b"\r\n")
        if not separator:
            return None
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,16}", line):
            raise Wrong("malformed chunk size %r" % line[:40])
        n = int(line, 16)
        if len(rest) < n + 2:
            return None
        if rest[n:n + 2] != b"\r\n":
            raise Wrong("chunk without its end")
        body, rest = body + rest[:n], rest[n + 2:]
        if n == 0:
            return body, rest


def next_answer(data, method, eof):
    """(answer, rest) from the front of data, or None while it is not whole."""
    head = _head(data)
    if not head:
        return None
    minor, status, fields, rest = head
    answer = Answer(minor, status, fields, b"", False)
    lengths, codings = answer.all(b"content-length"), answer.all(b"transfer-encoding")
    if lengths and codings:
        raise Wrong("both Content-Length and Transfer-Encoding")
    if len(lengths) > 1 or len(codings) > 1:
        raise Wrong("a length twice")
    if lengths and not lengths[0].isdigit():
        raise Wrong("Content-Length: %r" % lengths[0][:40])
    if method == "HEAD" or status < 200 or status in (204, 304):
        return answer, rest
    if codings:
        if codings[0] != b"chunked":
            raise Wrong("transfer coding %r" % codings[0])
        found = _chunks(rest)
        if not found:
            return None
        answer.body, rest = found
        return answer, rest
    if lengths:
        n = int(lengths[0])
        if len(rest) < n:
            return None
        answer.body = rest[:n]
        return answer, rest[n:]
    answer.to_close = True
    answer.body = rest
    return (answer, b"") if eof else None


class Http:
    probe = behind = PROBE  # asked next; sent behind a request after which nothing is answered

    def __init__(self, case):
        self.methods, self.answered = case.methods, 0

    def next(self, data, eof):
        """(answer, or None for bytes that are none; rest), or None while there is none."""
        method = self.methods[self.answered] if self.answered < len(self.methods) else "GET"
        found = next_answer(data, method, eof)
        if found and found[0].status >= 200:
            self.answered += 1
        return found

    def has_begun(self):
        """Was part of an answer taken already?"""
        return False


class Conversation:
    def __init__(self, port, case, seconds, speech):
        self.case, self.deadline, self.speech = case, time.monotonic() + seconds, speech(case)
        self.socket = socket.create_connection(("127.0.0.1", port), seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received, self.unread, self.answers = b"", b"", []
        self.eof = self.reset = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def _parse(self):
        while self.unread or self.eof:
            found = self.speech.next(self.unread, self.eof and not self.reset)
            if not found:
                return
            answer, self.unread = found
            if answer:
                self.answers.append(answer)
                if answer.to_close:
                    return

    def read(self):
        """One read. False when nothing more will come, or not in time."""
        left = self.deadline - time.monotonic()
        if self.eof or left <= 0 or not select.select([self.socket], [], [], left)[0]:
            return False
        try:
            piece = self.socket.recv(65536)
        except ConnectionResetError:
            piece, self.reset = b"", True
        self.received += piece
        self.unread += piece
        self.eof = not piece
        self._parse()
        return not self.eof

    def wait_for(self, answers):
        while len(self.answers) < answers and self.read():
            pass
        return len(self.answers) >= answers

    def _sent(self):
        """Until the peer's kernel has it all; so the next piece comes by itself."""
        left = array.array("i", [1])
        while left[0] > 0 and time.monotonic() < self.deadline:
            fcntl.ioctl(self.socket, termios.TIOCOUTQ, left)
            time.sleep(0.002)

    def send(self, pieces):
        for i, piece in enumerate(pieces):
            if piece is Shut:
                self.socket.shutdown(socket.SHUT_WR)
            elif isinstance(piece, Await):
                if not self.wait_for(piece.answers):
                    return
            else:
                try:
                    self.socket.sendall(piece)
                except (ConnectionResetError, BrokenPipeError):
                    return  # refused already; what it said can still be read
                if i + 1 < len(pieces):
                    self._sent()


def statuses(answers):
    return " ".join(str(a.status) for a in answers) or "nothing"


def _check_statuses(talk, want, is_ours):
    got = [a.status for a in talk.answers[:len(want)]]
    for i, wanted in enumerate(want):
        allowed = wanted if isinstance(wanted, tuple) else (wanted,)
        if i >= len(got) and SILENCE in allowed and talk.eof and not is_ours:
            return
        if i >= len(got) or got[i] not in (allowed[:1] if is_ours else allowed):
            raise Wrong("%s%s" % (statuses(talk.answers[:len(want)]), ", open" if len(got) < len(want) and not talk.eof else ""))


def _first_choice(talk, want):
    return len(talk.answers) >= len(want) and all(a.status == (w[0] if isinstance(w, tuple) else w) for a, w in zip(talk.answers, want))


def _check_content(talk, case, final):
    for text in case.sees:
        if text not in final.body:
            raise Wrong("%d, app did not see %s" % (final.status, text[:40].decode("latin-1")))
    for text in case.lacks:
        if text in talk.received:
            raise Wrong("%d, but with %r" % (final.status, text))
    for text in case.has:
        if text.lower() not in talk.received.lower():
            raise Wrong("%d, without %r" % (final.status, text))
    if case.body is not None and final.body != case.body:
        raise Wrong("%d, body %r" % (final.status, final.body[:40]))


def _check_end(talk, n):
    while talk.read():
        pass
    if len(talk.answers) > n:
        raise Wrong("%s, what was sent behind is answered" % statuses(talk.answers))
    if not talk.eof:
        raise Wrong("%s, open" % statuses(talk.answers))
    if talk.case.cut != (bool(talk.unread) or talk.speech.has_begun()):
        raise Wrong("%s, and then %r" % (statuses(talk.answers), talk.unread[:40]))


def _check_goes_on(talk, n, is_ours):
    if not is_ours and talk.case.alone:
        return
    if not is_ours and talk.case.group != "connection" and n and talk.answers[n - 1].says_close():
        return  # it may end a connection when it likes, if it says so
    if talk.eof:
        raise Wrong("%s, closed" % statuses(talk.answers))
    talk.send([talk.speech.probe])
    if not talk.wait_for(n + 1) or talk.answers[n].status != 200 or talk.answers[n].body != b"probe":
        raise Wrong("%s, next request: %s" % (statuses(talk.answers[:n]), statuses(talk.answers[n:])))


def talk(port, case, want, is_ours, seconds, speech):
    """Raises Wrong; returns all answers."""
    pieces = list(case.pieces)
    if case.fate == CLOSE and case.probe:
        pieces[-1] = pieces[-1] + speech.behind
    with Conversation(port, case, seconds, speech) as t:
        t.send(pieces)
        t.wait_for(len(want))
        _check_statuses(t, want, is_ours)
        if not _first_choice(t, want):
            return t.answers
        if case.fate == CLOSE and (is_ours or case.cut or not case.alone):
            _check_end(t, len(want))
        if want:
            _check_content(t, case, t.answers[len(want) - 1])
            found = case.wrong(t.answers[:len(want)], is_ours)
            if found:
                raise Wrong("%s, %s" % (statuses(t.answers[:len(want)]), found))
        if case.fate == KEEP:
            _check_goes_on(t, len(want), is_ours)
        if t.reset != case.resets and is_ours:
            raise Wrong("%s, then %s" % (statuses(t.answers), "a reset" if t.reset else "no reset"))
        return t.answers


def verdict(port, case, want=None, is_ours=False, seconds=5, rule=None, speech=Http):
    """"" if all is well, else what was wrong. rule: called for each answer, may raise Wrong."""
    try:
        answers = talk(port, case, want or case.want, is_ours, seconds, speech)
        for i, answer in enumerate(answers if rule else []):
            rule(case, answer, i == len(answers) - 1)
        return ""
    except Wrong as e:
        return str(e)
    except OSError as e:
        return type(e).__name__


