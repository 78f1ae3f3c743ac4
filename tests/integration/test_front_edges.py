"""The front at its edges: answers that come at once or late, are whole or visibly cut, and lines of the log that are true."""

import calendar
import os
import pathlib
import re
import signal
import socket
import struct
import time

import harness
from harness import Case, eventually, raw, request
from test_http import answers, serve


def stamped(line):
    """The time at the start of a line of the log."""
    return calendar.timegm(time.strptime(line[:19], "%Y-%m-%dT%H:%M:%S")) + float("0" + line[19:23])


def everything(s):
    data = b""
    with s:
        s.settimeout(20 * harness.PATIENCE)
        while True:
            piece = s.recv(65536)
            if not piece:
                return data
            data += piece


class Alone(Case):
    def test_a_body_that_goes_through_a_file_waits_for_no_clock(self):
        port, _ = serve(self)
        body = b"x" * 100000
        began = time.monotonic()
        for _ in range(20):
            self.assertEqual(request(port, "/echo", method="POST", body=body).body, body)
        # woken by the quarter-second tick alone they would take 2.5 s on average, 5 s at most
        self.assertLess(time.monotonic() - began, 1.5 if harness.PATIENCE == 1 else 60)

    def test_too_large_is_heard_by_who_sends_the_body_later(self):
        port, _ = serve(self, "--limit-post", "1000")
        for refused in (b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n", b"POST /echo HTTP/1.1\r\nBad\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", port), timeout=10 * harness.PATIENCE) as s:
                s.sendall(refused)
                time.sleep(0.1)
                for _ in range(2):
                    s.sendall(b"x" * 2500)
                    time.sleep(0.1)
                self.assertRegex(s.recv(1000), rb"^HTTP/1.1 4(13|00) ")

    def test_stopped_at_once_who_sends_a_request_is_told(self):
        port, daemon = serve(self, "--threads", "2")
        parts = [b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc", b"GET /plain HTT"]
        clients = [socket.create_connection(("127.0.0.1", port)) for _ in parts]
        for client, part in zip(clients, parts):
            client.sendall(part)
        time.sleep(0.3)
        daemon.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        daemon.process.send_signal(signal.SIGTERM)
        for client in clients:
            self.assertRegex(everything(client), rb"^HTTP/1.1 503 ")

    def test_an_answer_that_a_stop_cuts_is_on_record_with_its_worker(self):
        port, daemon = serve(self)
        with socket.create_connection(("127.0.0.1", port), timeout=10 * harness.PATIENCE) as client:
            client.sendall(b"GET /flood HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertIn(b"fff", client.recv(65536) + client.recv(65536))
            # once to drain, once more to end; two that come together are one
            eventually(lambda: daemon.process.poll() is not None or daemon.process.send_signal(signal.SIGTERM), what="its end")
            self.assertFalse(everything(client).endswith(b"0\r\n\r\n"))
        self.assertRegex(daemon.output(), r'"GET /flood" 200 [1-9]\d* .* worker=1')

    def test_a_death_after_a_silence_is_told_with_the_time_of_the_death(self):
        _, daemon = serve(self)
        time.sleep(1.5)  # nothing happens that would make the front look at its clock
        pid = next(p for p in harness.descendants(daemon.process.pid) if "worker" in harness.title(p))
        os.kill(pid, signal.SIGKILL)
        at = time.time()
        told = eventually(lambda: [x for x in daemon.output().splitlines() if " worker 1 died" in x], what="told")
        self.assertLess(abs(stamped(told[0]) - at), 1.0, told)

    def test_a_traceback_stands_in_the_log_once_and_in_lines(self):
        (self.folder / "broken.py").write_text("def boom():\n    raise ValueError('no app here')\n\n\nboom()\n")
        daemon = self.vassal("--http", "127.0.0.1:%d" % harness.free_port(), "--chdir", str(self.folder), "--module", "broken")
        eventually(lambda: not daemon.alive(), 15, "the end")
        said = daemon.output()
        self.assertEqual(said.count("raise ValueError('no app here')"), 1, said)
        self.assertRegex(said, r"(?m)^ValueError: no app here$")
        self.assertRegex(said, r"(?m)^\S+ failed \(import\): .*no app here$")
        self.assertNotIn("?", said)

    def test_an_error_answer_is_logged_with_its_bytes(self):
        port, daemon = serve(self)
        body = request(port, "/raises").body
        line = eventually(lambda: re.search(r'"GET /raises" 500 (\d+) ', daemon.output()), what="logged")
        self.assertEqual(int(line.group(1)), len(body))
        self.assertGreater(len(body), 0)

    def test_the_log_shows_the_client_that_the_proxy_named(self):
        own = harness.free_port()
        _, daemon = serve(self, "--socket", "127.0.0.1:%d" % own)
        for n, (given, shown) in enumerate([("192.0.2.7", "192.0.2.7"), ("2001:db8::1", "2001:db8::1"),
                                            ("x\n forged", "127.0.0.1"), ("1" * 46, "127.0.0.1")]):
            path = "/plain?%d" % n
            pairs = {"REQUEST_METHOD": "GET", "REQUEST_URI": path, "PATH_INFO": "/plain", "QUERY_STRING": str(n),
                     "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_HOST": "a", "REMOTE_ADDR": given, "REMOTE_PORT": "9"}
            data = b"".join(struct.pack("<H", len(x)) + x.encode() for pair in pairs.items() for x in pair)
            self.assertIn(b" 200 ", raw(own, struct.pack("<BHB", 0, len(data), 0) + data))
            line = eventually(lambda: re.search(r'(\S+) "GET %s" 200' % re.escape(path), daemon.output()), what="logged")
            self.assertEqual(line.group(1), shown)


class Passed(Case):
    def talk(self, s, data):
        """One answer with a Content-Length."""
        s.settimeout(20 * harness.PATIENCE)
        s.sendall(data)
        got = b""
        while True:
            piece = s.recv(65536)
            if not piece:
                return got
            got += piece
            head, end, body = got.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            if end and length and len(body) >= int(length.group(1)):
                return got

    def test_a_kept_connection_goes_to_another_app_with_all_that_was_read(self):
        emperor = self.emperor()
        for app in "ab":
            emperor.drop(app, module="shapes")
        for app in "ab":
            emperor.wait_up(app, "/plain")
        pad = b"".join(b"X-Pad-%d: %s\r\n" % (n, b"p" * 7000) for n in range(7))
        for name, then in {
            "long head": b"GET /plain HTTP/1.1\r\nHost: b.test\r\n" + pad + b"\r\n",
            "long body": b"POST /echo HTTP/1.1\r\nHost: b.test\r\nContent-Length: 60000\r\n\r\n" + b"x" * 60000,
            "both": b"POST /echo HTTP/1.1\r\nHost: b.test\r\nContent-Length: 60000\r\n" + pad + b"\r\n" + b"x" * 60000,
        }.items():
            with socket.create_connection(("127.0.0.1", emperor.port)) as s:
                self.assertIn(b" 200 ", self.talk(s, b"GET /plain HTTP/1.1\r\nHost: a.test\r\n\r\n"), name)
                self.assertRegex(self.talk(s, then), rb"^HTTP/1.1 200 ", name)

    def test_what_was_answered_while_a_generation_leaves_is_not_answered_again(self):
        emperor = self.emperor()
        own = harness.free_port()
        files = self.folder / "files"
        files.mkdir()
        (files / "f.txt").write_text("static")
        for folder in (files, files / "f.txt"):
            folder.chmod(0o755)

        def drop(n):
            emperor.drop("a", module="slow", extra="http = 127.0.0.1:%d\nstatic-map = /files=%s\nenv = N=%d" % (own, files, n))

        drop(1)
        emperor.wait_up("a")
        pad = b"X-Pad: " + b"p" * 3000
        with socket.create_connection(("127.0.0.1", own)) as s:
            s.settimeout(20 * harness.PATIENCE)
            s.sendall(b"GET /?1.5 HTTP/1.1\r\nHost: a\r\nX-Request-ID: first\r\n\r\n")
            for n in range(12):
                last = b"Connection: close\r\n" if n == 11 else b""
                s.sendall(b"GET /files/f.txt HTTP/1.1\r\nHost: a\r\nX-Request-ID: n%d\r\n%s%s\r\n\r\n" % (n, last, pad))
            time.sleep(0.2)
            drop(2)
            data = b""
            while True:
                piece = s.recv(65536)
                if not piece:
                    break
                data += piece
        self.assertEqual([h.get("x-request-id") for _, h, _ in answers(data)], ["first"] + ["n%d" % n for n in range(12)])


if __name__ == "__main__":
    harness.main()
