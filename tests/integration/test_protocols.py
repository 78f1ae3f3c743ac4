"""The protocols of the front: what takes time, and how they meet. Their letters are tests/conformance's."""

import pathlib
import select
import socket
import struct
import time
import unittest

import harness
from harness import Case, eventually, raw, request, until

GET = {"REQUEST_METHOD": "GET", "REQUEST_URI": "/plain"}
SYN_RECV, ESTABLISHED = "03", "01"
V2 = b"\r\n\r\n\0\r\nQUIT\n"


def post(length, uri="/echo", **more):
    return dict({"REQUEST_METHOD": "POST", "REQUEST_URI": uri, "CONTENT_LENGTH": str(length)}, **more)


def uwsgi(variables, modifier=0):
    body = b"".join(struct.pack("<H", len(k)) + k.encode() + struct.pack("<H", len(v)) + v.encode()
                    for k, v in variables.items())
    return struct.pack("<BHB", modifier, len(body), 0) + body


def scgi(variables):
    variables = dict({"CONTENT_LENGTH": "0", "SCGI": "1"}, **variables)
    body = b"".join(k.encode() + b"\0" + v.encode() + b"\0" for k, v in variables.items())
    return b"%d:%s," % (len(body), body)


def record(kind, number, content=b"", padding=0):
    return struct.pack(">BBHHBB", 1, kind, number, len(content), padding, 0) + content + b"\0" * padding


def begin(number=1, keep=True, role=1):
    return record(1, number, struct.pack(">HB5x", role, keep))


def params(variables):
    def size(n):
        return bytes([n]) if n < 128 else struct.pack(">I", n | 0x80000000)

    return b"".join(size(len(k)) + size(len(v)) + k.encode() + v.encode() for k, v in variables.items())


def fastcgi(variables, body=b"", number=1, keep=True, piece=60000):
    data = begin(number, keep) + record(4, number, params(variables)) + record(4, number)
    for at in range(0, len(body), piece):
        data += record(5, number, body[at:at + piece], at % 7)
    return data + record(5, number)


def at_the_server(client):
    """The fields of its line in /proc/net/tcp (proc(5)) there: [3] is the state, [4] "sent:unread"."""
    ends = ["%08X:%04X" % (*struct.unpack("=I", socket.inet_aton(a)), port) for a, port in (client.getpeername(), client.getsockname())]
    lines = (line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:])
    return next(line for line in lines if line[1:3] == ends)


class Records:
    """The client's end of a FastCGI connection."""

    def __init__(self, at):
        """A port, or a connection."""
        self.socket = at if isinstance(at, socket.socket) else socket.create_connection(
            ("127.0.0.1", at), timeout=10 * harness.PATIENCE)
        self.file = self.socket.makefile("rb")

    def send(self, data):
        self.socket.sendall(data)

    def next(self):
        """(type, id, content), or None at the end of the connection."""
        head = self.file.read(8)
        if len(head) < 8:
            return None
        version, kind, number, n, padding, _ = struct.unpack(">BBHHBB", head)
        assert version == 1
        content = self.file.read(n)
        self.file.read(padding)
        return kind, number, content

    def answer(self, number=1):
        """What came as STDOUT, and the protocol status of the end; None without an end."""
        out, status, stream_ended = b"", None, False
        while status is None:
            got = self.next()
            if not got:
                return out, None
            kind, n, content = got
            assert n == number, got
            if kind == 6:
                assert not stream_ended
                stream_ended = not content
                out += content
            else:
                assert kind == 3 and len(content) == 8 and stream_ended == (content[4] == 0), got
                status = content[4]
        return out, status

    def ended(self):
        return self.file.read() == b""

    def close(self):
        self.file.close()
        self.socket.close()


class Spoken(Case):
    def serve(self, *args, module="shapes"):
        """One app with an HTTP address beside those that are tested."""
        self.http = harness.free_port()
        self.front = self.vassal("--http", "127.0.0.1:%d" % self.http, "--chdir", str(harness.APPS), "--module", module,
                                 *args)

        def up():
            try:
                return request(self.http, "/plain").status == 200
            except OSError:
                self.assertTrue(self.front.alive(), self.front.output())

        eventually(up, 15)
        return self.front

    def says(self, text):
        eventually(lambda: text in self.front.output(), 5, "the log says %r" % text)

    def records(self, port):
        r = Records(port)
        self.addCleanup(r.close)
        return r


class Scgi(Spoken):
    def setUp(self):
        super().setUp()
        self.port = harness.free_port()

    def test_files_are_framed_as_the_protocol_wants(self):
        (self.folder / "a.txt").write_text("a file")
        self.serve("--scgi-socket", "127.0.0.1:%d" % self.port, "--static-map", "/files=%s" % self.folder)
        got = raw(self.port, scgi(dict(GET, REQUEST_URI="/files/a.txt")))
        self.assertTrue(got.startswith(b"Status: 200 OK\r\n") and got.endswith(b"\r\n\r\na file"), got)


class Fastcgi(Spoken):
    def setUp(self):
        super().setUp()
        self.port = harness.free_port()

    def fastcgi(self, *args, **kw):
        self.serve("--fastcgi-socket", "127.0.0.1:%d" % self.port, *args, **kw)
        return self.records(self.port)

    def test_large_ones_in_turn_on_one_connection(self):
        r = self.fastcgi()
        body = b"0123456789" * 30000
        for number in (1, 7, 65535, 1):
            r.send(fastcgi(post(len(body)), body, number))
            out, status = r.answer(number)
            self.assertEqual((out.split(b"\r\n\r\n", 1)[1], status), (body, 0))
            r.send(fastcgi(dict(GET, REQUEST_URI="/big?20"), number=number))
            out, status = r.answer(number)
            self.assertEqual((len(out.split(b"\r\n\r\n", 1)[1]), status), (20 * 65536, 0))

    def test_a_second_request_while_a_worker_has_the_first(self):
        r = self.fastcgi(module="slow")
        r.send(fastcgi({"REQUEST_METHOD": "GET", "REQUEST_URI": "/?1"}))
        r.send(begin(3))
        self.assertEqual(r.next(), (3, 3, struct.pack(">IB3x", 0, 1)))
        out, status = r.answer()
        self.assertTrue(out.endswith(b"slept") and status == 0)

    def test_an_abort_takes_a_waiting_request_out_of_the_queue(self):
        first, second = self.fastcgi(module="slow"), self.records(self.port)
        first.send(fastcgi({"REQUEST_METHOD": "GET", "REQUEST_URI": "/first?2"}))
        # the only process has that one: this one waits, and would sleep longer than any patience here
        second.send(fastcgi({"REQUEST_METHOD": "GET", "REQUEST_URI": "/second?3600"}))
        second.send(record(2, 1))
        self.assertEqual(second.answer(), (b"", 0))
        self.assertEqual(select.select([first.socket], [], [], 0)[0], [])
        # the connection lives on, and the one that a worker has is answered
        second.send(fastcgi({"REQUEST_METHOD": "GET", "REQUEST_URI": "/third?0"}))
        self.assertTrue(first.answer()[0].endswith(b"slept"))
        self.assertTrue(second.answer()[0].endswith(b"slept"))

    def test_an_abort_of_a_whole_answer_changes_nothing(self):
        r = self.fastcgi("--threads", "2")
        go = self.folder / "go"
        r.send(fastcgi(dict(GET, REQUEST_URI="/late?%s" % go)))
        out = b""
        while b"late\n" not in out:
            out += r.next()[2]
        r.send(record(2, 1))
        eventually(lambda: at_the_server(r.socket)[4].endswith(":00000000"), 5, "the front reads it")
        self.assertEqual(request(self.http, "/plain").status, 200)  # and is done with it
        go.touch()
        self.assertEqual(r.answer(), (b"", 0))
        self.says('"GET /late?%s" 500 5 ' % go)
        r.send(fastcgi(GET))
        self.assertTrue(r.answer()[0].endswith(b"plain"))

    def test_an_idle_connection_ends_after_keepalive(self):
        r = self.fastcgi("--keepalive", "2")
        r.send(fastcgi(GET))
        self.assertEqual(r.answer()[1], 0)
        self.assertTrue(r.ended())


class OneAddress(Spoken):
    """`socket` takes what its first bytes say, `http` never."""

    def test_the_first_bytes_say_it(self):
        port = harness.free_port()
        self.serve("--socket", "127.0.0.1:%d" % port)
        got = raw(port, uwsgi(GET))
        self.assertTrue(got.startswith(b"HTTP/1.1 200 OK"))
        self.assertIn(b"\r\nDate: ", got)  # nginx's cache keeps it
        self.assertNotIn(b"\r\nConnection: ", got)  # that is the affair of who asks
        self.assertTrue(raw(port, scgi(GET)).startswith(b"Status: 200 OK"))
        self.assertEqual(request(port, "/plain").text, "plain")
        r = self.records(port)
        r.send(fastcgi(GET))
        self.assertTrue(r.answer()[0].endswith(b"plain"))
        self.assertEqual(raw(port, b"\x64\0\0\0"), b"\x64\0\0\1")
        # one byte at a time
        for data in (uwsgi(GET), scgi(GET), fastcgi(GET, keep=False), b"DELETE /plain HTTP/1.0\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for i in range(len(data)):
                    s.sendall(data[i:i + 1])
                self.assertIn(b"plain", s.makefile("rb").read())
        self.assertTrue(raw(port, b"\x16\3\1\2\0\1\0\1\xfc\3\3").startswith(b"HTTP/1.1 400 "))
        self.says("this is not https")
        self.assertTrue(raw(port, b"\5\1\0\0").startswith(b"HTTP/1.1 501 "))

    def test_who_says_nothing_is_the_kernels_affair(self):
        """In each of them the client begins: nobody is woken for a connection whose request has not come yet."""
        listeners = ("--http", "--socket", "--uwsgi-socket", "--fastcgi-socket", "--scgi-socket")
        ports = [harness.free_port() for _ in listeners]
        self.serve(*(word for key, port in zip(listeners, ports) for word in (key, "127.0.0.1:%d" % port)))
        ini = "\n".join("%s = 127.0.0.1:%d" % (key[2:], harness.free_port()) for key in listeners)
        e = self.emperor()
        e.drop("one", "shapes", ini)
        e.wait_up("one", "/plain")
        ports += [int(line.rpartition(":")[2]) for line in ini.split("\n")]
        cookies = pathlib.Path("/proc/sys/net/ipv4/tcp_syncookies").read_text() != "0\n"
        asked = (b"GET /plain HTTP/1.0\r\n\r\n", uwsgi(GET), uwsgi(GET), fastcgi(GET, keep=False), scgi(GET))
        for port, data in zip(ports, 2 * asked):
            with socket.create_connection(("127.0.0.1", port), timeout=10 * harness.PATIENCE) as s:
                self.assertEqual(at_the_server(s)[3], SYN_RECV if cookies else ESTABLISHED, port)
                s.sendall(data)
                self.assertIn(b"plain", s.makefile("rb").read())

    def test_an_http_address_speaks_nothing_else(self):
        self.serve()
        liar = dict(GET, REMOTE_ADDR="10.9.8.7", REMOTE_USER="root")
        for data in (uwsgi(liar), scgi(liar), fastcgi(liar)):
            got = raw(self.http, data, shutdown=True)
            self.assertTrue(got.startswith(b"HTTP/1.1 400 "), got)
            made = got.split(b"X-Request-ID: ")[1].split(b"\r\n")[0].decode()
            self.says("malformed method id=%s" % made)
        self.assertTrue(raw(self.http, b"\x16\3\1\2\0\1\0\1\xfc\3\3").startswith(b"HTTP/1.1 400 "))
        self.assertNotIn("10.9.8.7", self.front.output())

    def watched(self):
        """How many descriptors the front has in its epoll sets."""
        folder = pathlib.Path("/proc/%d/fdinfo" % self.front.process.pid)
        return sum(f.read_text().count("tfd:") for f in folder.iterdir())

    def test_who_leaves_with_the_whole_answer_was_answered(self):
        """It does not wait for a close() in the app, or for a word that this was all. A reset is a way of leaving too."""
        port, path = harness.free_port(), str(self.folder / "sock")
        self.serve("--socket", "127.0.0.1:%d" % port, "--socket", path, "--threads", "21")
        before, go, clients = self.watched(), self.folder / "go", []
        for address in (("127.0.0.1", port), path):
            for speak in (uwsgi, scgi, fastcgi, lambda v: b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % v["REQUEST_URI"].encode(),
                          lambda v: b"GET %s HTTP/1.0\r\n\r\n" % v["REQUEST_URI"].encode()):
                for reset in (False, True):
                    s = socket.socket(socket.AF_UNIX if address == path else socket.AF_INET)
                    self.addCleanup(s.close)
                    s.settimeout(10 * harness.PATIENCE)
                    s.connect(address)
                    s.sendall(speak({"REQUEST_METHOD": "GET", "REQUEST_URI": "/late?%s" % go}))
                    until(s, b"late\n")
                    if reset:
                        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    clients.append(s)
        eventually(lambda: self.watched() >= before + len(clients), 5, "the front hears of their ends")
        time.sleep(0.3)  # and does not take one for a half that is shut, as it would a client that has just asked
        for s in clients:
            s.close()
        self.assertEqual(request(self.http, "/plain").status, 200)  # it has seen them by now
        go.touch()
        eventually(lambda: self.front.output().count('"GET /late?%s" 500 5 ' % go) == len(clients), 5, "a line for each")
        self.assertNotIn('" - ', self.front.output())

    def test_who_has_the_whole_answer_may_ask_once_more_and_shut_its_half(self):
        """Whatever its worker has to do yet: what it asks is no sign that it has gone."""
        self.serve("--threads", "2")
        before, go = self.watched(), self.folder / "go"
        with socket.create_connection(("127.0.0.1", self.http), timeout=10 * harness.PATIENCE) as s:
            s.sendall(b"GET /late?%s HTTP/1.1\r\nHost: a\r\n\r\n" % str(go).encode())
            until(s, b"late\n")
            eventually(lambda: self.watched() > before, 5, "the front hears of its end")
            time.sleep(0.3)  # and does not take it for that of a client that has just asked
            s.sendall(b"GET /plain HTTP/1.1\r\nHost: a\r\n\r\n")
            s.shutdown(socket.SHUT_WR)
            self.assertEqual(request(self.http, "/plain").status, 200)  # it has seen it by now
            go.touch()
            self.assertTrue(s.makefile("rb").read().endswith(b"plain"))

    def test_why_something_is_refused_stands_in_the_log_with_its_id(self):
        port = harness.free_port()
        self.serve("--socket", "127.0.0.1:%d" % port)
        no_length = dict(GET, CONTENT_LENGTH="x", HTTP_X_REQUEST_ID="theirs")
        for data in (uwsgi(no_length), scgi(dict(GET, HTTP_HOST="a b", HTTP_X_REQUEST_ID="theirs")), fastcgi(no_length),
                     b"GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: theirs\r\nExpect: much\r\n\r\n"):
            with self.subTest(data=data):
                self.assertIn(b"X-Request-ID: theirs\r\n", raw(port, data, shutdown=True))
        eventually(lambda: sum("client 127.0.0.1: 4" in line and line.endswith(" id=theirs") for line in
                               self.front.output().splitlines()) == 4, 10, "four reasons")

    def test_the_limits_of_a_head_are_the_same_in_every_language(self):
        port = harness.free_port()
        self.serve("--socket", "127.0.0.1:%d" % port, "--limit-uri", "40", "--limit-headers", "4")
        fields = {"HTTP_X_%d" % i: "x" for i in range(4 - ("HTTP_HOST" in GET))}
        for speak in (uwsgi, scgi, fastcgi):
            for status, variables in ((b"200 OK", dict(GET, REQUEST_URI="/plain?" + "q" * 33, **fields)),
                                      (b"414 URI Too Long", dict(GET, REQUEST_URI="/plain?" + "q" * 34)),
                                      (b"431 Request Header", dict(GET, HTTP_X_Y="x", **fields))):
                with self.subTest(speak=speak.__name__, status=status):
                    self.assertIn(status, raw(port, speak(variables), shutdown=True)[:60])

    def test_a_websocket_is_told_that_there_is_none(self):
        self.serve()
        got = raw(self.http, b"GET /plain HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
                             b"Sec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n")
        self.assertTrue(got.startswith(b"HTTP/1.1 501 "), got)
        self.says("WebSocket")
        # another protocol is offered, not asked for: HTTP/1.1 goes on (RFC 9110 7.8)
        got = raw(self.http, b"GET /plain HTTP/1.1\r\nHost: a\r\nConnection: close, Upgrade\r\nUpgrade: h2c\r\n\r\n")
        self.assertTrue(got.endswith(b"\r\n\r\nplain"), got)


class Proxied(Spoken):
    """The PROXY protocol."""

    HEAD = b"GET /dump HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    INET = V2 + b"\x21\x11" + struct.pack(">H4s4sHH", 15, bytes([192, 0, 2, 7]), bytes([198, 51, 100, 1]), 4711, 443)

    def test_a_trusted_peer_names_its_client_once(self):
        port = harness.free_port()
        self.serve("--socket", "127.0.0.1:%d" % port, "--trusted-proxies", "127.0.0.1")
        v1 = b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n"
        for at in (self.http, port):
            for header in (v1, self.INET + b"\4\0\0"):
                got = raw(at, header + self.HEAD)
                self.assertIn(b"REMOTE_ADDR='192.0.2.7'\nREMOTE_PORT='4711'\n", got)
            for header in (V2 + b"\x20\0\0\0", b"PROXY UNKNOWN\r\n"):
                self.assertIn(b"REMOTE_ADDR='127.0.0.1'\n", raw(at, header + self.HEAD))
            for i in range(1, len(v1)):
                with socket.create_connection(("127.0.0.1", at), timeout=10) as s:
                    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    s.sendall(v1[:i])
                    s.sendall(v1[i:] + self.HEAD)
                    self.assertIn(b"REMOTE_ADDR='192.0.2.7'", s.makefile("rb").read())
            self.assertTrue(raw(at, v1 + v1 + self.HEAD).startswith(b"HTTP/1.1 400 "))
            self.assertTrue(raw(at, b"PROXY TCP4 nonsense\r\n" + self.HEAD).startswith(b"HTTP/1.1 400 "))
        # not behind a request
        keep = b"GET /plain HTTP/1.1\r\nHost: a\r\n\r\n"
        got = raw(self.http, keep + v1 + self.HEAD)
        self.assertEqual((got.count(b"HTTP/1.1 200"), got.count(b"HTTP/1.1 400")), (1, 1))
        # the client of a CGI protocol is the one that its variables name
        got = raw(port, v1 + scgi(dict(GET, REQUEST_URI="/dump", REMOTE_ADDR="192.0.2.9")))
        self.assertIn(b"REMOTE_ADDR='192.0.2.9'", got)
        r = self.records(port)
        r.send(v1 + fastcgi(dict(GET, REQUEST_URI="/dump")))
        self.assertIn(b"REMOTE_ADDR='192.0.2.7'", r.answer()[0])
        self.says("PROXY header twice")
        self.says("192.0.2.7 ")

    def test_a_trusted_peer_says_that_its_client_spoke_tls(self):
        port = harness.free_port()
        self.serve("--socket", "127.0.0.1:%d" % port, "--trusted-proxies", "127.0.0.1, 192.0.2.7")
        inet = self.INET[:14] + struct.pack(">H", 20) + self.INET[16:]
        tls, plain = (inet + b"\x20\0\5%c\0\0\0\0" % client for client in (1, 0))
        for header, scheme in ((tls, b"https"), (plain, b"http")):
            got = raw(self.http, header + b"GET /plain HTTP/1.1\r\nHost: a\r\n\r\n" + self.HEAD)  # and of each request
            self.assertIn(b"wsgi.url_scheme='%s'\n" % scheme, got)
            self.assertIn(b"wsgi.url_scheme='%s'\n" % scheme, raw(port, header + uwsgi(dict(GET, REQUEST_URI="/dump"))))
        # a proxy behind it has the last word
        got = raw(self.http, tls + self.HEAD.replace(b"\r\n\r\n", b"\r\nX-Forwarded-Proto: http\r\n\r\n"))
        self.assertIn(b"wsgi.url_scheme='http'\n", got)

    def test_anybody_else_is_refused(self):
        self.serve("--trusted-proxies", "192.0.2.1")
        for header in (b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n", self.INET + b"\4\0\0", V2 + b"\x20\0\0\0"):
            got = raw(self.http, header + self.HEAD)
            self.assertTrue(got.startswith(b"HTTP/1.1 400 "), got)
        self.says("PROXY header from a peer that is not in trusted-proxies")

    def test_a_unix_peer_is_trusted(self):
        path = str(self.folder / "app.sock")
        self.serve("--http", path)
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(path)
            s.sendall(b"PROXY TCP6 2001:db8::7 ::1 1 2\r\n" + self.HEAD)
            self.assertIn(b"REMOTE_ADDR='2001:db8::7'", s.makefile("rb").read())


class Moved(Case):
    """Connections that live on in the next generation."""

    def moved(self, address, connect):
        """What is idle, in each way that there is, before a reload; then a request on each."""
        e = self.emperor()
        e.drop("a", "named", "env = NAME=one\nsocket = %s" % address)
        e.wait_up("a")
        kept = Records(connect())
        silent = [connect() for _ in range(3)]
        named = connect()
        for s in (*silent, named):
            self.addCleanup(s.close)
        self.addCleanup(kept.close)
        kept.send(fastcgi(GET))
        self.assertIn(b"one", kept.answer()[0])
        named.sendall(b"PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n")
        pid = e.state("a")["pid"]
        e.drop("a", "named", "env = NAME=two\nsocket = %s" % address)
        eventually(lambda: e.state("a")["pid"] != pid, 15, "the new generation")
        eventually(lambda: not harness.os.path.exists("/proc/%d" % pid), 15, "the old one has left: nothing holds it")
        kept.send(fastcgi(GET))
        self.assertIn(b"two", kept.answer()[0])
        kept.send(fastcgi(GET))
        self.assertIn(b"two", kept.answer()[0])
        http = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        for s, data in zip((*silent, named), (uwsgi(GET), scgi(GET), http, http)):
            s.sendall(data)
            with s.makefile("rb") as f:
                self.assertTrue(f.read().endswith(b"\r\n\r\ntwo"))
        return e

    def test_over_tcp(self):
        port = harness.free_port()
        e = self.moved("127.0.0.1:%d\ntrusted-proxies = 127.0.0.1" % port,
                       lambda: socket.create_connection(("127.0.0.1", port), timeout=10 * harness.PATIENCE))
        eventually(lambda: '192.0.2.7 "GET /"' in e.output(), 5, "the log names the client")

    def test_over_a_unix_socket(self):
        folder = self.folder / "sockets"
        folder.mkdir()
        folder.chmod(0o777)
        path = str(folder / "app.sock")

        def connect():
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(10 * harness.PATIENCE)
            s.connect(path)
            return s

        self.moved(path, connect)


if __name__ == "__main__":
    unittest.main(verbosity=2)
