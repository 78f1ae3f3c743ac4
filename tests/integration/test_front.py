"""The front under pressure: queues, deadlines, clients that leave, stall or cut, large bodies, raw packets."""

import concurrent.futures
import contextlib
import hashlib
import http.client
import os
import pathlib
import re
import signal
import socket
import statistics
import struct
import time
import unittest

import harness
from harness import Case, eventually, raw, request, until
from test_http import answers, serve

GET = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n"
ONCE = b"GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def opened(port, data, buffer=None):
    """A client that has sent this and reads nothing yet."""
    s = socket.socket()
    if buffer:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    s.settimeout(30 * harness.PATIENCE)
    s.connect(("127.0.0.1", port))
    s.sendall(data)
    return s


def rest_of(s):
    """Everything up to the end; (bytes, was it cut by a reset?)."""
    data = []
    with s:
        while True:
            try:
                piece = s.recv(1 << 20)
            except ConnectionResetError:
                return b"".join(data), True
            if not piece:
                return b"".join(data), False
            data.append(piece)


class Pressed(Case):
    """Cases whose app can be held up and let go."""

    def setUp(self):
        super().setUp()
        self.go = self.folder / "go"

    def served(self, *args, **kw):
        self.port, self.daemon_ = serve(self, *args, **kw)

    def hold(self, count=1):
        """Requests that are in the app until release()."""
        held = [opened(self.port, GET % b"/hold?%s" % str(self.go).encode()) for _ in range(count)]
        eventually(lambda: self.said("holding") == count, 10, "%d requests in the app" % count)
        return held

    def release(self):
        self.go.touch()

    def said(self, words):
        return len(re.findall(words, self.daemon_.output()))

    def all_held(self, held):
        for s in held:
            with s:
                self.assertIn(b"held", s.recv(4096))


class Queue(Pressed):
    def test_who_waits_longer_than_queue_timeout_gets_503_and_when_to_come_again(self):
        self.served("--queue-timeout", "1")
        held = self.hold()
        started = time.monotonic()
        answer = request(self.port, "/plain")
        self.assertEqual(answer.status, 503)
        self.assertGreater(int(answer.headers["Retry-After"]), 0)
        self.assertGreater(time.monotonic() - started, 0.9)
        self.assertLess(time.monotonic() - started, 3 * harness.PATIENCE)
        eventually(lambda: self.said(r"503: a request has waited for 1 s \(queue-timeout\)") == 1, 5, "why, in the log")
        self.release()
        self.all_held(held)  # being in the app is not waiting
        self.assertEqual(request(self.port, "/plain").status, 200)

    def test_more_than_queue_size_get_503_at_once_and_the_others_their_answers(self):
        self.served("--queue-size", "3")
        held = self.hold()
        waiting = [opened(self.port, GET % b"/plain") for _ in range(8)]
        refused = []

        def five_refused():
            for s in waiting:
                if s not in refused:
                    s.settimeout(0.02)
                    with contextlib.suppress(TimeoutError):
                        data = s.recv(4096)
                        self.assertTrue(data.startswith(b"HTTP/1.1 503 "), data)
                        self.assertIn(b"\r\nRetry-After: ", data)
                        refused.append(s)
            return len(refused) >= 5

        eventually(five_refused, 5, "those who find no room are told")
        self.assertEqual(len(refused), 5)
        eventually(lambda: self.said(r"503: as many requests wait as may \(queue-size = 3\)") == 1, 5, "why, once and not for each")
        self.release()
        self.all_held(held)
        for s in waiting:
            with s:
                if s not in refused:
                    s.settimeout(5 * harness.PATIENCE)
                    self.assertTrue(s.recv(4096).endswith(b"plain"))

    def test_a_long_queue_keeps_its_order(self):
        self.served("--queue-size", "200")
        held = self.hold()
        waiting = []
        for n in range(120):  # more than there are slots in shared memory
            waiting.append(opened(self.port, GET % b"/note?%d" % n))
            if n % 20 == 19:
                time.sleep(0.02)
        self.release()
        self.all_held(held)
        for n, s in enumerate(waiting):
            with s:
                self.assertTrue(s.recv(4096).endswith(b"\r\n\r\n%d" % n))
        eventually(lambda: self.said(r"noted \d+") == 120, 5)
        noted = [int(n) for n in re.findall(r"noted (\d+)", self.daemon_.output())]
        self.assertEqual(noted, sorted(noted))

    def test_a_client_that_left_the_queue_never_reaches_the_app(self):
        self.served()
        held = self.hold()
        gone = opened(self.port, GET % b"/note?gone")
        time.sleep(0.7)  # an end this late is no half-close
        gone.close()
        eventually(lambda: self.said(r'"GET /note\?gone" - '), 5, "its leaving in the access log")
        self.release()
        self.all_held(held)
        self.assertEqual(request(self.port, "/note?here").text, "here")
        eventually(lambda: self.said("noted here"), 5)
        self.assertEqual(self.said("noted gone"), 0)

    def test_who_closes_only_his_sending_side_is_answered_however_long_it_takes(self):
        self.served()
        for query in ("0", "0.2", "1.2"):
            with self.subTest(query=query):
                data = raw(self.port, GET % b"/sleep?%s" % query.encode(), shutdown=True)
                self.assertTrue(data.endswith(b"slept"), data)
        data = raw(self.port, GET % b"/sleep?0.3" + GET % b"/plain", shutdown=True)
        self.assertEqual([b for _, _, b in answers(data)], [b"slept", b"plain"])


class Work(Pressed):
    def test_a_slow_request_is_said_once_with_its_stack_and_lives(self):
        self.served("--slow-request", "1")
        held = self.hold()
        eventually(lambda: self.said("slow request: GET /hold") and self.said("in hold"), 8, "the slow request in the log")
        time.sleep(1.2)  # another tick and more
        self.assertEqual(self.said("slow request:"), 1)
        self.release()
        self.all_held(held)

    def test_a_client_that_left_while_the_app_works_costs_one_answer_and_no_worker(self):
        self.served()
        held, = self.hold()
        time.sleep(0.7)
        held.close()
        eventually(lambda: self.said(r'"GET /hold\S* - \d+ .* worker=1'), 5, "its leaving in the access log")
        self.assertEqual(self.said(r'"GET /hold\S* - \d+ queue=\d?\d\.\dms app=\d{3,}\.'), 1, "it was in work, not waiting")
        self.release()
        self.assertEqual(request(self.port, "/plain").status, 200)
        self.assertEqual(self.said("killed by|exited"), 0)

    def test_a_client_that_left_in_a_streamed_answer_ends_it_and_close_is_called(self):
        self.served()
        for version in (b"1.1", b"1.0"):
            s = opened(self.port, b"GET /flood HTTP/%s\r\nHost: a\r\n\r\n" % version)
            self.assertTrue(s.recv(1000))
            s.close()
            eventually(lambda v=version: self.said("closed flood") == (1 if v == b"1.1" else 2), 5, "close() in the app")
            self.assertEqual(request(self.port, "/plain").status, 200)

    def test_threads_work_side_by_side_and_never_mix_answers(self):
        self.served("--threads", "4")
        held = self.hold(4)  # all four at once in one process
        self.release()
        self.all_held(held)
        self.load()

    def test_a_worker_that_is_stopped_holds_up_nobody_else(self):
        self.served("--processes", "4")
        took = []
        for _ in range(5):
            # all sleep, and it is the first to be chosen
            seen = eventually(lambda: (lambda s: s if len(s) == 1 else None)(
                {int(request(self.port, "/pid").text) for _ in range(4)}), 10, "one worker has all that comes singly")
            pid = seen.pop()
            os.kill(pid, signal.SIGSTOP)
            try:
                begun = time.monotonic()
                clients = [opened(self.port, ONCE % b"/pid") for _ in range(3)]
                self.assertNotIn(pid, [int(rest_of(s)[0].rpartition(b"\r\n")[2]) for s in clients])
                took.append(time.monotonic() - begun)
            finally:
                os.kill(pid, signal.SIGCONT)
        self.assertLess(statistics.median(took), 0.2)  # milliseconds; by the tick it is 0.25

    def slow_and_fast(self, meanwhile=()):
        """(seconds until the fast one had its answer, those until all of the others had theirs)."""
        front = self.daemon_.process.pid
        # nobody is woken any more for what is done so soon
        self.assertEqual(raw(self.port, (GET % b"/nothing") * 200 + ONCE % b"/nothing", timeout=20).count(b"HTTP/1.1 "), 201)
        self.go.unlink(missing_ok=True)
        os.kill(front, signal.SIGSTOP)  # so that it hears of all in one event
        try:
            slow = opened(self.port, ONCE % b"/hold?%s" % str(self.go).encode())
            fast = opened(self.port, ONCE % b"/plain")
            for s, data in meanwhile:
                s.sendall(data)
            begun = time.monotonic()
        finally:
            os.kill(front, signal.SIGCONT)
        self.assertTrue(rest_of(fast)[0].endswith(b"plain"))
        took = time.monotonic() - begun
        for s, _ in meanwhile:
            self.assertTrue(rest_of(s)[0].endswith(b"file"))
        all_took = time.monotonic() - begun
        self.release()
        self.assertTrue(rest_of(slow)[0].endswith(b"held"))
        return took, all_took

    def test_nobody_waits_behind_a_slow_request_among_fast_ones(self):
        self.served("--processes", "2")
        took = [self.slow_and_fast()[0] for _ in range(5)]
        self.assertLess(statistics.median(took), 0.2)  # milliseconds; by the tick it is 0.25

    def test_nor_while_the_front_has_files_to_send(self):
        (self.folder / "file").write_text("file")
        self.served("--processes", "2", "--static-map", "/files=%s" % self.folder)
        data = (GET % b"/files/file") * 200 + ONCE % b"/files/file"
        took = [self.slow_and_fast([(opened(self.port, b""), data) for _ in range(64)]) for _ in range(5)]
        self.assertLess(statistics.median(one / all_ for one, all_ in took), 0.5, took)

    def test_several_workers_share_the_load_and_never_mix_answers(self):
        self.served("--processes", "3")
        held = self.hold(3)
        self.release()
        self.all_held(held)
        self.load()

    def load(self):
        def client(n):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20 * harness.PATIENCE)
            with contextlib.closing(connection):
                for i in range(30):
                    body = b"%d-%d." % (n, i) * (1 + 997 * i % 5000)
                    connection.request("POST", "/echo", body=body)
                    if connection.getresponse().read() != body:
                        return "answer %d of client %d is not its own" % (i, n)

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            self.assertEqual([p for p in pool.map(client, range(16)) if p], [])


class Deadlines(Pressed):
    def test_keepalive_0_closes_after_each_answer_and_says_so(self):
        self.served("--keepalive", "0")
        data = raw(self.port, GET % b"/plain" + GET % b"/plain")
        self.assertEqual(data.count(b"HTTP/1.1 200"), 1)
        self.assertIn(b"\r\nConnection: close\r\n", data)

    def test_an_idle_connection_is_closed_quietly_and_one_in_use_is_kept(self):
        self.served("--keepalive", "2")  # 1 is "on"
        with opened(self.port, b"") as s:
            for _ in range(3):
                s.sendall(GET % b"/plain")
                self.assertTrue(s.recv(4096).endswith(b"plain"))
                time.sleep(1.2)
            started = time.monotonic()
            self.assertEqual(s.recv(4096), b"")
            self.assertLess(time.monotonic() - started, 3 * harness.PATIENCE)

    def test_an_end_that_comes_with_the_last_bytes_is_seen_at_once(self):
        self.served()
        with opened(self.port, b"GET /plain HTTP/1.1\r\nHost: a\r\n\r\n") as s:
            s.settimeout(5 * harness.PATIENCE)
            self.assertTrue(s.recv(4096).endswith(b"plain"))
            front = self.daemon_.process.pid
            os.kill(front, signal.SIGSTOP)  # so that it hears of both in one event
            try:
                s.sendall(b"GET /pl")
                s.shutdown(socket.SHUT_WR)
            finally:
                os.kill(front, signal.SIGCONT)
            self.assertTrue(s.recv(4096).startswith(b"HTTP/1.1 400 "))

    def test_a_body_that_comes_slowly_but_steadily_is_waited_for(self):
        self.served("--body-timeout", "1", "--min-rate", "1")
        with opened(self.port, b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n") as s:
            for piece in b"slow!":
                time.sleep(0.4)
                s.sendall(bytes([piece]))
            self.assertTrue(s.recv(4096).endswith(b"slow!"))

    def test_a_reader_that_stopped_is_cut_after_socket_timeout_and_the_worker_is_free(self):
        self.served("--socket-timeout", "1")
        for version in (b"1.1", b"1.0"):
            with self.subTest(version=version):
                before = self.said("closed flood")
                s = opened(self.port, b"GET /flood HTTP/%s\r\nHost: a\r\n\r\n" % version, buffer=4096)
                eventually(lambda: self.said("closed flood") > before, 10, "the app hears of it")
                self.assertEqual(request(self.port, "/plain").status, 200)
                data, cut = rest_of(s)
                # 1.0 has no other sign that this was not all
                self.assertTrue(cut or (version == b"1.1" and not data.endswith(b"0\r\n\r\n")))

    def test_a_reader_who_stops_and_goes_gets_every_byte_in_its_place(self):
        self.served()
        for _ in range(3):
            s = opened(self.port, ONCE % b"/big?300", buffer=16384)
            data = b""
            while len(data) < 8 << 20:
                data += s.recv(1 << 20)
                time.sleep(0.002)
            rest, cut = rest_of(s)
            body = (data + rest).partition(b"\r\n\r\n")[2]
            self.assertTrue(body == b"".join(b"%c" % (97 + n % 26) * 65536 for n in range(300)))


class Variants(Pressed):
    """The same answers to HEAD and to HTTP/1.0."""

    PATHS = {"/plain": b"plain", "/stream": b"".join(b"piece %d\n" % n for n in range(5)), "/big?3": b"a" * 65536 + b"b" * 65536 + b"c" * 65536,
             "/write": b"written twice and returned", "/file": (harness.APPS / "shapes.py").read_bytes()}

    def setUp(self):
        super().setUp()
        self.served()

    def test_head_has_the_fields_and_no_body_and_the_next_request_is_answered(self):
        for path, body in self.PATHS.items():
            for version in (b"1.1", b"1.0"):
                with self.subTest(path=path, version=version):
                    data = raw(self.port, b"HEAD %s HTTP/%s\r\nHost: a\r\nConnection: keep-alive\r\n\r\n" % (path.encode(), version)
                               + ONCE % b"/note?next")
                    head, _, behind = data.partition(b"\r\n\r\n")
                    self.assertTrue(head.startswith(b"HTTP/1.1 200 "), head)
                    length = re.search(rb"Content-Length: (\d+)", head)
                    if length:
                        self.assertEqual(int(length.group(1)), len(body))
                    self.assertTrue(behind.startswith(b"HTTP/1.1 200 ") and behind.endswith(b"next"), behind[:200])

    def test_http_1_0_gets_whole_bodies_without_chunks(self):
        for path, body in self.PATHS.items():
            for keep in (b"", b"Connection: keep-alive\r\n"):
                with self.subTest(path=path, keep=keep):
                    data = raw(self.port, b"GET %s HTTP/1.0\r\n%s\r\nGET /note?next HTTP/1.0\r\n\r\n" % (path.encode(), keep))
                    head, _, got = data.partition(b"\r\n\r\n")
                    self.assertNotIn(b"Transfer-Encoding", head)
                    self.assertEqual(got[:len(body)], body)
                    kept = keep and b"Content-Length" in head
                    self.assertEqual(b"onnection: keep-alive" in head, bool(kept))
                    self.assertEqual(got[len(body):].endswith(b"next"), bool(kept))

    def test_a_failure_inside_a_stream_is_visible_in_either_version(self):
        for version in (b"1.1", b"1.0"):
            self.go.unlink(missing_ok=True)
            s = opened(self.port, b"GET /raises_late?%s HTTP/%s\r\nHost: a\r\nConnection: close\r\n\r\n" % (
                str(self.go).encode(), version))
            until(s, b"first piece")
            self.release()
            rest, cut = rest_of(s)
            if version == b"1.0":
                self.assertTrue(cut, rest)  # a plain end would call it whole
            self.assertFalse(rest.endswith(b"0\r\n\r\n"), rest)
        data, cut = rest_of(opened(self.port, ONCE % b"/short"))
        self.assertTrue(cut or data.startswith(b"HTTP/1.1 500 ") or b"Content-Length: 100" in data, data)


class Large(Pressed):
    SIZE = 100 << 20

    def peak(self):
        """The most memory that the front ever had of its own, in KiB; 0 where a sanitizer's is meant."""
        with open("/proc/%d/maps" % self.daemon_.process.pid) as f:
            if "libasan" in f.read():
                return 0
        text = pathlib.Path("/proc/%d/status" % self.daemon_.process.pid).read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", text).group(1))

    def setUp(self):
        super().setUp()
        self.served()

    def test_an_upload_of_100_mb_arrives_and_the_front_stays_small(self):
        piece = os.urandom(1 << 20)
        digest = hashlib.md5()
        before = self.peak()
        for head, frame in ((b"Content-Length: %d" % self.SIZE, b"%s"), (b"Transfer-Encoding: chunked", b"100000\r\n%s\r\n")):
            digest = hashlib.md5()
            s = opened(self.port, b"POST /count HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s\r\n\r\n" % head)
            for _ in range(self.SIZE >> 20):
                s.sendall(frame % piece)
                digest.update(piece)
            if b"chunked" in head:
                s.sendall(b"0\r\n\r\n")
            data, cut = rest_of(s)
            self.assertTrue(data.endswith(b"\r\n\r\n%d %s" % (self.SIZE, digest.hexdigest().encode())), data)
        self.assertLess(self.peak() - before, 4096)

    def test_a_download_of_100_mb_arrives_at_any_speed_and_the_front_stays_small(self):
        before = self.peak()
        wanted = b"".join(b"%c" % (97 + n % 26) * 65536 for n in range(self.SIZE >> 16))
        for pause in (0, 0.5):
            s = opened(self.port, b"GET /big?%d HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % (self.SIZE >> 16))
            time.sleep(pause)
            data, cut = rest_of(s)
            self.assertTrue(data.partition(b"\r\n\r\n")[2] == wanted)
        self.assertLess(self.peak() - before, 4096)


class Uwsgi(Pressed):
    """Packets of the uwsgi protocol, byte by byte."""

    VARS = {"REQUEST_METHOD": "POST", "REQUEST_URI": "/echo", "PATH_INFO": "/echo", "QUERY_STRING": "", "SERVER_NAME": "a",
            "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_HOST": "a"}

    def setUp(self):
        super().setUp()
        self.own = harness.free_port()
        self.served("--uwsgi-socket", "127.0.0.1:%d" % self.own)

    def packet(self, body=b"", length=None, **changed):
        pairs = dict(self.VARS, CONTENT_LENGTH=str(len(body) if length is None else length), **changed)
        data = b"".join(struct.pack("<H", len(k)) + k.encode() + struct.pack("<H", len(v)) + v.encode() for k, v in pairs.items())
        return struct.pack("<BHB", 0, len(data), 0) + data + body

    def test_a_packet_is_understood_wherever_it_is_split(self):
        data = self.packet(b"body")
        for at in range(1, len(data), 3):
            with opened(self.own, b"") as s:
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                s.sendall(data[:at])
                s.sendall(data[at:])
                got = s.makefile("rb").read()
            self.assertTrue(got.startswith(b"HTTP/1.1 200 ") and got.endswith(b"body"), (at, got))

    def test_bad_packets_are_refused_and_harm_nobody(self):
        good = self.packet()
        for name, data in {
            "other modifier": b"\x05" + good[1:],
            "empty": struct.pack("<BHB", 0, 0, 0),
            "a key beyond the end": struct.pack("<BHB", 0, 6, 0) + struct.pack("<H", 500) + b"abcd",
            "a value beyond the end": struct.pack("<BHB", 0, 9, 0) + struct.pack("<H", 3) + b"KEY" + struct.pack("<H", 9) + b"ab",
            "half a length": struct.pack("<BHB", 0, 1, 0) + b"\x01",
            "zeros": struct.pack("<BHB", 0, 60000, 0) + b"\0" * 60000,
            "a bad length": self.packet(CONTENT_TYPE="x").replace(b"CONTENT_LENGTH\x01\x000", b"CONTENT_LENGTH\x01\x00x"),
            "http": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "an end inside": good[:20],
        }.items():
            with self.subTest(name=name):
                got = raw(self.own, data, shutdown=True)
                self.assertNotIn(b" 200 ", got[:20])
                self.assertTrue(got == b"" or got.startswith((b"HTTP/1.1 4", b"HTTP/1.1 501 ")), got[:60])
        self.assertTrue(raw(self.own, good).startswith(b"HTTP/1.1 200"))

    def test_a_body_shorter_than_announced_never_reaches_the_app(self):
        got = raw(self.own, self.packet(b"short", length=10, PATH_INFO="/note", REQUEST_URI="/note?cut", QUERY_STRING="cut"), shutdown=True)
        self.assertTrue(got.startswith(b"HTTP/1.1 400 "), got)
        self.assertEqual(request(self.port, "/note?whole").text, "whole")
        eventually(lambda: self.said("noted whole"), 5)
        self.assertEqual(self.said("noted cut"), 0)

    def test_the_largest_packet_and_a_stream(self):
        changed = {"HTTP_X_%d" % n: "v" * 6000 for n in range(10)}
        got = raw(self.own, self.packet(**dict(changed, PATH_INFO="/dump", REQUEST_METHOD="GET")))
        self.assertEqual(got.count(b"HTTP_X_"), 10)
        got = raw(self.own, self.packet(PATH_INFO="/stream", REQUEST_METHOD="GET"))
        self.assertNotIn(b"chunked", got.lower())
        self.assertTrue(got.endswith(b"\r\n\r\n" + b"".join(b"piece %d\n" % n for n in range(5))), got)


if __name__ == "__main__":
    unittest.main(verbosity=2)
