"""What a case of files is: a request of one of three sites (static_site.py), and what the answer must say.

b"{etag}" in what is sent stands for the tag that the server gave its file a.bin, and "{etag}" among the fields as well.
"""

import dataclasses
import email.utils
import re
import time

from http_case import KEEP, Case

APP = b"REQUEST_METHOD='"  # its answer says what it saw
MOVED = r"(http://a(:\d+)?)?%s"  # a Location may be either


@dataclasses.dataclass
class StaticCase(Case):
    alone: bool = True
    site: str = "app"
    fields: dict = dataclasses.field(default_factory=dict)  # name: pattern, or None: not there. A tuple's first is ours
    parts: tuple = ()  # (first, last) of a multipart answer
    whole: bytes = b""  # of which these are parts
    forms: dict = None  # coding (or None): body; one of them comes, the first from ours
    seconds: int = None  # it may be kept
    twin: bool = None  # two answers: have they the same tag?
    etag: str = '"0"'

    def of(self, etag):
        """The same for a server that has given this tag."""
        pieces = [p.replace(b"{etag}", etag.encode()) if isinstance(p, bytes) else p for p in self.pieces]
        return dataclasses.replace(self, pieces=pieces, etag=etag)

    def wrong(self, answers, is_ours):
        answer = answers[-1]
        checks = (self._fields, self._parts, self._forms, self._seconds, self._twin)
        return next((found for found in (check(answer, answers, is_ours) for check in checks) if found), "")

    def _fields(self, answer, _, is_ours):
        for name, wanted in self.fields.items():
            allowed = wanted if isinstance(wanted, tuple) else (wanted,)
            got = [v.decode("latin-1") for v in answer.all(name.lower().encode())]
            if not any(_matches(got, w and w.replace("{etag}", re.escape(self.etag))) for w in (allowed[:1] if is_ours else allowed)):
                return "%s: %s" % (name, ", ".join(got) or "none")
        return ""

    def _parts(self, answer, *_):
        if not self.parts:
            return ""
        kind = b", ".join(answer.all(b"content-type"))
        m = re.fullmatch(rb"multipart/byteranges; *boundary=\"?([\w'()+,./:=?-]{1,70})\"?", kind)
        if not m:
            return "Content-Type: %r" % kind
        rest = answer.body if answer.body.startswith(b"\r\n") else b"\r\n" + answer.body
        for first, last in self.parts:
            head = re.match(rb"\r\n--%s\r\n((?:[\w-]+: [^\r]+\r\n)+)\r\n" % re.escape(m.group(1)), rest)
            says = b"content-range: bytes %d-%d/%d\r\n" % (first, last, len(self.whole))
            data = self.whole[first:last + 1]
            if not head or says not in head.group(1).lower() or not rest[head.end():].startswith(data):
                return "part %d-%d is not where it belongs" % (first, last)
            rest = rest[head.end() + len(data):]
        return "" if rest.rstrip(b"\r\n") == b"\r\n--%s--" % m.group(1) else "%r after the last part" % rest[:40]

    def _forms(self, answer, _, is_ours):
        if self.forms is None:
            return ""
        allowed = list(self.forms)[:1] if is_ours else list(self.forms)
        got = [v.decode() for v in answer.all(b"content-encoding")]
        coding = got[0] if got else None
        return "" if coding in allowed and answer.body == self.forms[coding] else "coding %s, body %r" % (coding, answer.body[:20])

    def _seconds(self, answer, _, is_ours):
        if self.seconds is None:
            return ""
        until, now = ([email.utils.parsedate_to_datetime(v.decode()).timestamp() for v in answer.all(n)] for n in (b"expires", b"date"))
        if not until:
            return "no Expires"
        left = until[0] - (now[0] if now else time.time())
        if is_ours and answer.all(b"cache-control") != [b"max-age=%d" % max(self.seconds, 0)]:
            return "Cache-Control: %s" % answer.all(b"cache-control")
        return "" if abs(left - self.seconds) <= 1 else "kept for %d s" % left

    def _twin(self, _, answers, __):
        if self.twin is None:
            return ""
        tags = [a.all(b"etag") for a in answers]
        return "" if all(tags) and (tags[0] == tags[-1]) == self.twin else "tags %s" % tags


def _matches(got, pattern):
    return not got if pattern is None else len(got) == 1 and re.fullmatch(pattern, got[0]) is not None


def asks(path, fields=b"", method=b"GET"):
    return method + b" " + path + b" HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n"


def case(name, section, send, want=200, fate=KEEP, fields=None, **more):
    send = send if isinstance(send, list) else [send]
    method = send[0].split(b" ", 1)[0].decode()
    more.setdefault("methods", (method,))
    return StaticCase(name, section, send, want if isinstance(want, list) else [want], fate, fields=fields or {}, **more)


def apps(name, section, path, peers=(200, 404, 403, 400), **more):
    """No file's, so the app answers; a peer without one has none."""
    return case(name, section, asks(path), peers, sees=(APP,), **more)
