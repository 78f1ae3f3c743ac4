"""How answers look by FastCGI, SCGI and uwsgi, as strict web servers read them."""

import struct

from gateway_case import ABORTED, END, STDERR, STDOUT, fastcgi, scgi, uwsgi, variables
from wire import FIELD, Answer, Wrong, next_answer

PROBE = variables("/probe")
GET_VALUES_RESULT, UNKNOWN_TYPE = 10, 11
PROTOCOL_STATUS = {1: "CANT_MPX_CONN", 2: "OVERLOADED", 3: "UNKNOWN_ROLE"}


def cgi_answer(data, is_head):
    """An answer of CGI (RFC 3875 6), which is all of data."""
    head, separator, body = data.partition(b"\r\n\r\n")
    if not separator:
        raise Wrong("malformed CGI answer %r" % data[:40])
    fields = []
    for line in head.split(b"\r\n"):
        f = FIELD.match(line)
        if not f:
            raise Wrong("malformed field %r" % line[:60])
        fields.append((f.group(1).lower(), f.group(2)))
    answer = Answer(1, 200, fields, body, False)
    status = answer.all(b"status")
    if status:
        answer.status = int(status[0][:3])
    for name in (b"connection", b"transfer-encoding", b"keep-alive"):
        if answer.all(name):
            raise Wrong("%d with %s, which is the web server's" % (answer.status, name.decode()))
    if any(not n.isdigit() for n in answer.all(b"content-length")):
        raise Wrong("%d, Content-Length: %s" % (answer.status, answer.all(b"content-length")))
    if (is_head or answer.status in (204, 304)) and body:
        raise Wrong("%d with a body" % answer.status)
    return answer


def _lacks_bytes(answer, is_head):
    lengths = answer.all(b"content-length")
    return bool(lengths) and not is_head and answer.status != 304 and len(answer.body) < int(lengths[0])


class OneAnswer:
    """One request on a connection, and its answer ends with it."""

    def __init__(self, case):
        self.is_head = case.methods == ("HEAD",)

    def has_begun(self):
        return False


class Uwsgi(OneAnswer):
    probe = behind = uwsgi(PROBE)

    def next(self, data, eof):
        if data[:1] == b"\x64" and len(data) >= 4:
            answer = Answer(1, "pong %d" % data[3], [], b"", False)
            return answer, data[4:]
        found = next_answer(data, "HEAD" if self.is_head else "GET", eof)
        if found and found[0].all(b"transfer-encoding"):
            raise Wrong("%d in chunks, which uwsgi does not have" % found[0].status)
        return found


class Scgi(OneAnswer):
    probe = behind = scgi(PROBE)

    def next(self, data, eof):
        if data.startswith(b"HTTP/"):
            return _of_http(data, eof)
        if not data or not eof:
            return None
        answer = cgi_answer(data, self.is_head)
        return None if _lacks_bytes(answer, self.is_head) else (answer, b"")


def _of_http(data, eof):
    """Who does not begin as the protocol does is answered in HTTP, which anybody reads."""
    found = next_answer(data, "GET", eof)
    if found:
        found[0].status = "HTTP %d" % found[0].status
    return found


def _pairs(content):
    """The names and values of GET_VALUES_RESULT, one a line."""
    lines = []
    while content:
        n, v = content[0], content[1]  # all that may be asked for is short
        lines.append(b"%s=%s\n" % (content[2:2 + n], content[2 + n:2 + n + v]))
        content = content[2 + n + v:]
    return b"".join(sorted(lines))


class Fastcgi:
    probe, behind = fastcgi(PROBE), fastcgi(PROBE, number=2)

    def __init__(self, case):
        self.methods, self.answered = case.methods, 0
        self.out = {}  # of requests whose answers have begun
        self.ended = set()  # of those, whose STDOUT has

    def has_begun(self):
        return bool(self.out)

    def next(self, data, eof):
        if data.startswith(b"HTTP/"):
            return _of_http(data, eof)
        if len(data) < 8:
            return None
        version, kind, number, n, padding, reserved = struct.unpack(">BBHHBB", data[:8])
        if version != 1 or reserved:
            raise Wrong("malformed record head %r" % data[:8])
        if len(data) < 8 + n + padding:
            return None
        return self._take(kind, number, data[8:8 + n]), data[8 + n + padding:]

    def _take(self, kind, number, content):
        if number == 0:
            return self._management(kind, content)
        if kind == STDERR:
            return None
        if kind == STDOUT:
            if number in self.ended:
                raise Wrong("STDOUT after its end")
            self.out[number] = self.out.get(number, b"") + content
            if not content:
                self.ended.add(number)
            return None
        if kind != END or len(content) != 8:
            raise Wrong("record of type %d, %d bytes" % (kind, len(content)))
        return self._end(number, *struct.unpack(">IB3x", content))

    def _management(self, kind, content):
        if kind == GET_VALUES_RESULT:
            return Answer(1, "GET_VALUES_RESULT", [], _pairs(content), False)
        if kind == UNKNOWN_TYPE and len(content) == 8:
            return Answer(1, "UNKNOWN_TYPE %d" % content[0], [], b"", False)
        raise Wrong("management record of type %d, %d bytes" % (kind, len(content)))

    def _end(self, number, app_status, protocol_status):
        out, ended = self.out.pop(number, None), number in self.ended
        self.ended.discard(number)
        if app_status:
            raise Wrong("application status %d" % app_status)
        if protocol_status:
            if out:
                raise Wrong("an answer, and then protocol status %d" % protocol_status)
            answer = Answer(1, PROTOCOL_STATUS.get(protocol_status, "protocol status %d" % protocol_status), [], b"", False)
        elif not out:
            answer = Answer(1, ABORTED, [], b"", False)
        else:
            answer = self._answer(out, ended)
        if number != 1:
            answer.status = "%s of %d" % (answer.status, number)
        return answer

    def _answer(self, out, ended):
        if not ended:
            raise Wrong("STDOUT without its end")
        is_head = self.answered < len(self.methods) and self.methods[self.answered] == "HEAD"
        self.answered += 1
        answer = cgi_answer(out, is_head)
        if _lacks_bytes(answer, is_head):
            raise Wrong("%d, shorter than its Content-Length, and ended" % answer.status)
        return answer


SPEECHES = {"fastcgi": Fastcgi, "scgi": Scgi, "uwsgi": Uwsgi}
