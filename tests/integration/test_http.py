"""HTTP/1.1 as clients see it: against a vassal alone, and with hostile bytes."""

import os
import socket
import time
import unittest

import harness
from harness import Case, eventually, raw, request, until


def serve(case, *args, module="shapes", **kw):
    port = harness.free_port()
    daemon = case.vassal("--http", "127.0.0.1:%d" % port, "--chdir", str(harness.APPS), "--module", module, *args, **kw)

    def up():
        try:
            return request(port, "/plain").status == 200
        except OSError:
            if not daemon.alive():
                raise AssertionError("vassal ended:\n" + daemon.output())
            return False

    eventually(up, 15, "vassal answers")
    return port, daemon


def answers(data):
    """Splits a byte stream of responses with Content-Length or chunked bodies into (status, headers, body)."""
    found = []
    while data:
        head, separator, rest = data.partition(b"\r\n\r\n")
        if not separator:
            found.append(("cut", {}, data))
            break
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if status == 100:
            found.append((status, headers, b""))
            data = rest
            continue
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while True:
                size, _, rest = rest.partition(b"\r\n")
                n = int(size, 16)
                body += rest[:n]
                rest = rest[n + 2:]
                if n == 0:
                    break
        else:
            n = int(headers.get("content-length", len(rest)))
            body, rest = rest[:n], rest[n:]
        found.append((status, headers, body))
        data = rest
    return found


class Good(Case):
    def setUp(self):
        super().setUp()
        self.port, self.process = serve(self)

    def test_date_length_and_request_id_are_there(self):
        answer = request(self.port, "/plain")
        self.assertEqual(answer.headers["Content-Length"], "5")
        self.assertRegex(answer.headers["Date"], r"^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$")
        self.assertTrue(answer.headers["X-Request-ID"])
        self.assertEqual(request(self.port, "/plain", headers={"X-Request-ID": "mine-1"}).headers["X-Request-ID"], "mine-1")

    def test_keep_alive_and_pipelining_answer_in_order(self):
        one = b"GET /dump?n=%d HTTP/1.1\r\nHost: a\r\n\r\n"
        data = raw(self.port, one % 1 + one % 2 + b"GET /dump?n=3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        found = answers(data)
        self.assertEqual([s for s, _, _ in found], [200, 200, 200])
        for n, (_, _, body) in enumerate(found, 1):
            self.assertIn(b"QUERY_STRING='n=%d'" % n, body)

    def test_a_head_split_at_every_byte_is_understood(self):
        head = b"GET /plain HTTP/1.1\r\nHost: a\r\nX-One: two\r\nConnection: close\r\n\r\n"
        for at in range(1, len(head), 3):
            with socket.create_connection(("127.0.0.1", self.port), 5) as s:
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                s.sendall(head[:at])
                s.sendall(head[at:])
                self.assertTrue(s.makefile("rb").read().startswith(b"HTTP/1.1 200"), at)

    def test_content_length_and_chunked_bodies_reach_the_app(self):
        body = b"0123456789" * 1000
        self.assertEqual(request(self.port, "/echo", method="POST", body=body).body, body)
        chunked = b"".join(b"%x;ext=1\r\n%s\r\n" % (len(p), p) for p in (b"a" * 10, b"b" * 70000, b"c")) + b"0\r\nT: x\r\n\r\n"
        data = raw(self.port, b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + chunked)
        (status, headers, got), = answers(data)
        self.assertEqual(status, 200)
        self.assertEqual(got, b"a" * 10 + b"b" * 70000 + b"c")
        self.assertEqual(headers["x-length"], "70011")

    def test_a_large_body_goes_through_a_file_and_back(self):
        body = bytes(range(256)) * 20000  # 5 MB
        self.assertEqual(request(self.port, "/echo", method="POST", body=body, timeout=30).body, body)

    def test_expect_100_continue(self):
        with socket.create_connection(("127.0.0.1", self.port), 5 * harness.PATIENCE) as s:
            s.sendall(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n")
            self.assertTrue(s.recv(1000).startswith(b"HTTP/1.1 100 "))
            s.sendall(b"body")
            self.assertTrue(s.makefile("rb").read().endswith(b"body"))

    def test_head_has_no_body_and_1_0_closes(self):
        data = raw(self.port, b"HEAD /plain HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        self.assertTrue(data.startswith(b"HTTP/1.1 200 ") and data.endswith(b"\r\n\r\n"), data)
        self.assertIn(b"\r\nContent-Length: 5\r\n", data)
        self.assertTrue(raw(self.port, b"GET /plain HTTP/1.0\r\n\r\n").endswith(b"plain"))

    def test_http_1_0_keep_alive_is_honoured(self):
        data = raw(self.port, b"GET /plain HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /plain HTTP/1.0\r\n\r\n")
        self.assertEqual(data.count(b"HTTP/1.1 200"), 2)
        self.assertIn(b"onnection: keep-alive", data)

    def test_an_unread_body_does_not_disturb_the_next_request(self):
        data = raw(self.port, b"POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n" + b"GET /bad HTTP/1.1..\n"
                   + b"GET /plain HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        self.assertEqual([(s, b) for s, _, b in answers(data)], [(200, b"unread"), (200, b"plain")])

    def test_streams_arrive_as_they_are_yielded(self):
        with socket.create_connection(("127.0.0.1", self.port), 5 * harness.PATIENCE) as s:
            s.sendall(b"GET /slow_stream HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            started = time.monotonic()
            data = until(s, b"piece 0")
            self.assertLess(time.monotonic() - started, 0.9 * harness.PATIENCE)
            data = until(s, b"piece 4", data)
            self.assertGreater(time.monotonic() - started, 1.0)
            self.assertTrue((data + s.makefile("rb").read()).endswith(b"0\r\n\r\n"))

    def test_environ_of_a_path_with_escapes_and_latin_1(self):
        body = raw(self.port, b"GET /dump/%41%2Fb%C3%A9?q=%20 HTTP/1.1\r\nHost: ex:81\r\nX-A: 1\r\nX-A: 2\r\nCookie: a=1\r\n"
                   b"Cookie: b=2\r\nX_Evil: 1\r\nProxy: evil\r\nConnection: close\r\n\r\n")
        self.assertIn(b"plain", body)  # the shape is chosen by the decoded path
        body = raw(self.port, b"GET /dump?q=%20 HTTP/1.1\r\nHost: ex:81\r\nX-A: 1\r\nX-A: 2\r\nCookie: a=1\r\n"
                   b"Cookie: b=2\r\nX_Evil: 1\r\nProxy: evil\r\nConnection: close\r\n\r\n")
        for line in (b"HTTP_X_A='1, 2'", b"HTTP_COOKIE='a=1; b=2'", b"QUERY_STRING='q=%20'", b"REQUEST_URI='/dump?q=%20'",
                     b"SCRIPT_NAME=''", b"HTTP_HOST='ex:81'", b"SERVER_NAME='ex'", b"SERVER_PORT=", b"REMOTE_ADDR='127.0.0.1'"):
            self.assertIn(line, body)
        self.assertNotIn(b"EVIL", body.upper().replace(b"PROXY: EVIL", b""))

    def test_a_slow_reader_frees_the_worker(self):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.connect(("127.0.0.1", self.port))
            s.sendall(b"GET /big?200 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")  # 13 MB, one worker
            time.sleep(0.2)
            self.assertEqual(request(self.port, "/plain", timeout=10).text, "plain")
            s.settimeout(30 * harness.PATIENCE)
            total = 0
            while True:
                piece = s.recv(1 << 20)
                if not piece:
                    break
                total += len(piece)
            self.assertGreaterEqual(total, 200 * 65536)

    def test_400_bytes_at_a_time_clients_do_not_hold_the_worker(self):
        held = []
        for _ in range(50):
            s = socket.create_connection(("127.0.0.1", self.port), 5)
            s.sendall(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nslow")
            held.append(s)
        for _ in range(10):
            self.assertEqual(request(self.port, "/plain").status, 200)
        for s in held:
            s.close()


class Hostile(Case):
    CASES = [  # bytes, status: RFC 9112 unless said
        (b"GET / HTTP/1.1\r\n\r\n", 400),  # 3.2: no Host
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),  # 3.2: two
        (b"GET / HTTP/1.1\nHost: a\n\n", 400),  # 2.2: bare LF
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n", 400),  # 5.2: obs-fold
        (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),  # 5.1: blank before colon
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 400),  # 5.5 of 9110: NUL
        (b"GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd", 400),  # 6.3
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),  # 6.3
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\nabcd", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4, 4\r\n\r\nabcd", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcdX\r\n0\r\n\r\n", 400),
        (b"GARBAGE\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 70000 + b"\r\n\r\n", 431),
        (b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 50, 400),  # TLS
        (b"GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ]

    def test_each_gets_its_status_and_the_connection_closes(self):
        port, process = serve(self)
        for data, status in self.CASES:
            with self.subTest(data=data[:60]):
                # a second request must never be seen
                got = raw(port, data + b"GET /plain HTTP/1.1\r\nHost: a\r\n\r\n")
                self.assertTrue(got.startswith(b"HTTP/1.1 %d " % status), got[:100])
                self.assertEqual(got.count(b"HTTP/1.1 "), 1)
        self.assertEqual(request(port, "/plain").status, 200)
        self.assertTrue(process.alive())

    def test_random_bytes_never_end_the_front(self):
        import random

        port, process = serve(self)
        rng = random.Random(7)
        good = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        for _ in range(300):
            data = bytearray(good)
            for _ in range(rng.randrange(1, 6)):
                data[rng.randrange(len(data))] = rng.randrange(256)
            try:
                raw(port, bytes(data), timeout=2, shutdown=True)
            except OSError:
                pass
        self.assertEqual(request(port, "/plain").status, 200)
        self.assertTrue(process.alive())

    def test_limits_end_in_answers(self):
        port, _ = serve(self, "--limit-post", "1000", "--header-timeout", "1", "--body-timeout", "1")
        self.assertEqual(request(port, "/echo", method="POST", body=b"x" * 1001).status, 413)
        self.assertTrue(raw(port, b"GET / HTTP/1.1\r\nHo").startswith(b"HTTP/1.1 408 "))
        self.assertTrue(raw(port, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx").startswith(b"HTTP/1.1 408 "))


class Pieces(Case):
    def test_a_body_goes_on_when_its_beginning_has_been_put_on_disk(self):
        port, daemon = serve(self, "--post-buffering", "4096")
        body = os.urandom(60000)
        for at in (1000, 5000, 8000, 30000):  # less than a read: the socket is empty then, and nobody has looked at it before
            with self.subTest(at=at), socket.create_connection(("127.0.0.1", port), 10) as s:
                s.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 60000\r\n\r\n" + body[:at])
                time.sleep(0.2)  # until it is on disk; nothing outside can see that
                s.sendall(body[at:])
                got = b""
                while piece := s.recv(65536):
                    got += piece
                self.assertTrue(got.endswith(b"\r\n\r\n" + body), got[:200])

    def test_so_does_one_in_chunks_whatever_is_on_its_way_meanwhile(self):
        for kept in ("4096", "65536"):
            port, daemon = serve(self, "--post-buffering", kept, name="vassal-" + kept)
            body = os.urandom(200000)
            data = b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"
            for at in (9000, 40000, 65000, 70000):
                with self.subTest(at=at, kept=kept), socket.create_connection(("127.0.0.1", port), 10) as s:
                    s.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + data[:at])
                    time.sleep(0.15)
                    s.sendall(data[at:])
                    got = b""
                    while piece := s.recv(65536):
                        got += piece
                    self.assertTrue(got.endswith(body), got[:200])


if __name__ == "__main__":
    unittest.main(verbosity=2)
