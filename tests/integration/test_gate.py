"""Many apps on one port: routes, hand-over, hand-back."""

import os
import socket
import time
import unittest

import harness
from harness import Case, eventually, raw, request
from test_http import answers


class Routes(Case):
    def test_exact_before_wildcard_longest_path_and_default(self):
        e = self.emperor()
        for name, domain, extra in (("exact", "a.b.test", ""), ("wild", "*.b.test", ""), ("path", "a.b.test/blog", ""),
                                    ("deep", "a.b.test/blog/admin", ""), ("rest", "rest.test", "default = true\n")):
            e.drop(name, "where", "%senv = NAME=%s" % (extra, name), domain=domain)
        eventually(lambda: len([a for a in e.ctl("status")["apps"] if a["state"] == "running"]) == 5, 20)
        for host, path, want in (
            ("a.b.test", "/", "exact|/|"), ("A.B.TEST", "/x", "exact|/x|"), ("a.b.test:8080", "/blogger", "exact|/blogger|"),
            ("z.b.test", "/blog", "wild|/blog|"), ("a.b.test", "/blog", "path||/blog"), ("a.b.test", "/blog/x?y", "path|/x|/blog"),
            ("a.b.test", "/blog/admin/y", "deep|/y|/blog/admin"), ("b.test", "/", "rest|/|"), ("unknown.test", "/q", "rest|/q|"),
        ):
            with self.subTest(host=host, path=path):
                self.assertEqual(request(e.port, path, host=host).text, want)

    def test_what_the_gate_answers_itself_is_in_the_log(self):
        e = self.emperor()
        e.drop("one", "where", "env = NAME=one")
        e.wait_up("one")
        self.assertEqual(request(e.port, "/page", host="typo.test").status, 404)
        eventually(lambda: 'client 127.0.0.1: 404: there is no site of this name here ("GET /page HTTP/1.1", Host typo.test)' in e.output(),
                   5, "the mistyped name")
        mine = request(e.port, "/page", host="typo.test", headers={"X-Request-ID": "mine-7"})
        self.assertEqual(mine.headers["X-Request-ID"], "mine-7")
        eventually(lambda: 'Host typo.test) id=mine-7' in e.output(), 5, "the id that came")
        made = request(e.port, "/page", host="typo.test")
        self.assertRegex(made.headers["X-Request-ID"], "^[0-9a-f]{16}$")
        self.assertIn("request %s\n" % made.headers["X-Request-ID"], made.text)
        eventually(lambda: "id=" + made.headers["X-Request-ID"] in e.output(), 5, "the id that was made")
        self.assertIn(b" 400 ", raw(e.port, b"GET / HTTP/1.1\r\nHost : x\r\n\r\n"))
        eventually(lambda: "client 127.0.0.1: 400: " in e.output(), 5, "the bad head")
        for _ in range(30):
            request(e.port, "/", host="typo.test")
        time.sleep(1.1)  # a second of the log's is over
        request(e.port, "/", host="typo.test")
        eventually(lambda: "more answers of its own went without a line" in e.output(), 5, "how many went unsaid")

    def test_one_keep_alive_connection_visits_several_apps_also_pipelined(self):
        e = self.emperor()
        for name in ("one", "two"):
            e.drop(name, "where", "env = NAME=" + name)
            e.wait_up(name)
        e.drop("sub", "where", "env = NAME=sub", domain="one.test/sub")
        eventually(lambda: e.get("one", "/sub/x").text.startswith("sub|"), 15)
        line = "GET %s HTTP/1.1\r\nHost: %s.test\r\n%s\r\n"
        order = [("/a", "one", "one|/a|"), ("/b", "two", "two|/b|"), ("/c", "one", "one|/c|"), ("/sub/d", "one", "sub|/d|/sub"),
                 ("/e", "one", "one|/e|"), ("/f", "two", "two|/f|")]
        data = "".join(line % (path, host, "Connection: close\r\n" if path == "/f" else "") for path, host, _ in order)
        got = answers(raw(e.port, data.encode()))
        self.assertEqual([b.decode() for _, _, b in got], [want for _, _, want in order])
        # and one after the other on one connection
        with socket.create_connection(("127.0.0.1", e.port), 5) as s:
            f = s.makefile("rb")
            for path, host, want in order[:-1] * 3:
                s.sendall((line % (path, host, "")).encode())
                status = f.readline()
                self.assertIn(b" 200 ", status)
                length = 0
                while True:
                    header = f.readline().strip().lower()
                    if not header:
                        break
                    if header.startswith(b"content-length:"):
                        length = int(header.split(b":")[1])
                self.assertEqual(f.read(length).decode(), want)

    def test_an_app_with_more_apps_below_it_than_a_message_names_answers(self):
        e = self.emperor()
        e.drop("top", "where", "env = NAME=top", domain="top.test")
        for n in range(12):
            e.drop("sub%d" % n, "where", "on-demand = true", domain="top.test/%s%d" % ("p" * 240, n))
        e.wait_up("top")
        eventually(lambda: len(e.ctl("status")["apps"]) == 13, 15)
        with socket.create_connection(("127.0.0.1", e.port), 10) as s:
            f = s.makefile("rb")
            for n in range(4):
                s.sendall(b"GET /x%d HTTP/1.1\r\nHost: top.test\r\n\r\n" % n)
                self.assertIn(b" 200 ", f.readline())
                length = 0
                while line := f.readline().strip().lower():
                    if line.startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                self.assertEqual(f.read(length), b"top|/x%d|" % n)

    def test_a_new_route_takes_effect_on_connections_that_are_open(self):
        e = self.emperor()
        e.drop("one", "where", "env = NAME=one")
        e.wait_up("one")
        with socket.create_connection(("127.0.0.1", e.port), 5) as s:
            def ask():
                s.sendall(b"GET /new/x HTTP/1.1\r\nHost: one.test\r\n\r\n")
                data = b""
                while b"\r\n\r\n" not in data or not data.split(b"\r\n\r\n", 1)[1]:
                    piece = s.recv(4096)
                    self.assertTrue(piece, "closed")
                    data += piece
                return data.split(b"\r\n\r\n", 1)[1]

            self.assertEqual(ask(), b"one|/new/x|")
            e.drop("new", "where", "env = NAME=new", domain="one.test/new")
            eventually(lambda: e.get("one", "/new/x").text.startswith("new|"), 15)
            self.assertEqual(ask(), b"new|/x|/new")

    def test_no_site_no_host_and_bad_heads_are_answered(self):
        e = self.emperor()
        e.drop("one")
        e.wait_up("one")
        for data, status in (
            (b"GET / HTTP/1.1\r\nHost: nobody.test\r\n\r\n", 404), (b"GET / HTTP/1.1\r\n\r\n", 400), (b"GET / HTTP/1.0\r\n\r\n", 404),
            (b"\x16\x03\x01\x00\x01" + b"\0" * 40, 400), (b"nonsense\r\n\r\n", 400), (b"GET / HTTP/1.1\r\nX: " + b"a" * 10000, 431),
            (b"GET / HTTP/1.1\r\nHost: one.test\r\nHost: two.test\r\n\r\n", 400), (b"GET / HTTP/1.1\nHost: one.test\n\n", 400),
        ):
            with self.subTest(data=data[:40]):
                self.assertTrue(raw(e.port, data).startswith(b"HTTP/1.1 %d " % status))

    def test_unix_and_ipv6_ports(self):
        path = self.folder / "http.sock"
        port = harness.free_port()
        e = self.emperor("--http", str(path), "--http", "[::1]:%d" % port)
        e.drop("one", "where", "env = NAME=one")
        e.wait_up("one")
        self.assertEqual(request(port, "/x", host="one.test", address="::1").text, "one|/x|")
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(path))
            s.sendall(b"GET /u HTTP/1.1\r\nHost: one.test\r\nConnection: close\r\n\r\n")
            self.assertTrue(s.makefile("rb").read().endswith(b"one|/u|"))


class Waiting(Case):
    def test_requests_wait_for_an_app_that_starts(self):
        e = self.emperor()
        e.drop("slow", "slow_import", "env = SECONDS=1.5")
        eventually(lambda: e.state("slow"))
        self.assertEqual(e.get("slow", timeout=20).status, 200)

    def test_slow_heads_do_not_stop_others(self):
        e = self.emperor()
        e.drop("one")
        e.wait_up("one")
        held = []
        for _ in range(200):
            s = socket.create_connection(("127.0.0.1", e.port), 5)
            s.sendall(b"GET / HTTP/1.1\r\nX: ")
            held.append(s)
        started = time.monotonic()
        for _ in range(20):
            self.assertEqual(e.get("one").status, 200)
        self.assertLess(time.monotonic() - started, 5 * harness.PATIENCE)
        for s in held:
            s.close()

    def test_a_gate_killed_hard_is_started_again(self):
        e = self.emperor()
        e.drop("one")
        e.wait_up("one")
        gates = [p for p in e.strays() if "gate" in harness.title(p)]
        self.assertEqual(len(gates), 1)
        os.kill(gates[0], 9)
        e.wait_up("one")
        e.drop("two")
        e.wait_up("two")


if __name__ == "__main__":
    unittest.main(verbosity=2)
