"""Requests that take too long, and clients that do: each end is an answer, in the log, counted."""

import concurrent.futures
import contextlib
import http.client
import json
import os
import re
import select
import signal
import socket
import struct
import threading
import time
import unittest

import harness
from harness import Case, eventually, request

INTERRUPT = signal.SIGRTMIN + 6


def serve(case, *args, module="stuck", up="/pid", **kw):
    port = harness.free_port()
    daemon = case.vassal("--http", "127.0.0.1:%d" % port, "--chdir", str(harness.APPS), "--module", module, *args, **kw)

    def answers():
        with contextlib.suppress(OSError, http.client.HTTPException):
            return request(port, up).status == 200
        if not daemon.alive():
            raise AssertionError("vassal ended:\n" + daemon.output())

    eventually(answers, 15, "vassal answers")
    return port, daemon


def workers(daemon):
    return {p for p in daemon.strays() if re.search(r" worker \d", harness.title(p))}


def is_running(pid):
    with open("/proc/%d/stat" % pid) as f:
        return f.read().rpartition(")")[2].split()[0] == "R"


def ask(port, path):
    """The status, or "cut" when the answer was not whole."""
    try:
        return request(port, path, timeout=20).status
    except http.client.IncompleteRead:
        return "cut"


def ask_all(port, paths):
    with concurrent.futures.ThreadPoolExecutor(len(paths)) as pool:
        return dict(zip(paths, pool.map(lambda path: ask(port, path), paths)))


class Interrupts(Case):
    INTERRUPTIBLE = ("sleep", "recv", "select", "backtrack", "spin", "lock", "libc_pause", "libc_sleep", "swallow_exception", "clean_up")
    STUBBORN = ("swallow_all", "c_mutex", "gil_mutex")

    def test_whatever_a_request_hangs_in_ends_and_its_worker_serves_the_next(self):
        port, daemon = serve(self, "--processes", "11", "--interrupt-timeout", "1")
        before = workers(daemon)
        self.assertEqual(len(before), 11)
        started = time.monotonic()
        got = ask_all(port, ["/" + way for way in self.INTERRUPTIBLE] + ["/begun"])
        self.assertLess(time.monotonic() - started, 3 * harness.PATIENCE)
        self.assertEqual(got.pop("/begun"), "cut")
        self.assertEqual(set(got.values()), {504}, got)
        for _ in range(3):
            pids = [int(request(port, "/short").text) for _ in range(11)]
            self.assertLessEqual(set(pids), before)
        self.assertEqual(set(ask_all(port, ["/short?%d" % n for n in range(33)]).values()), {200})
        self.assertEqual(workers(daemon), before)
        eventually(lambda: daemon.output().count("ms after its interrupt") == 11, 5, "all ends are in the log")
        log = daemon.output()
        for way in self.INTERRUPTIBLE:
            self.assertIn("interrupt: GET /%s [" % way, log)
            self.assertRegex(log, r"GET /%s \[\w+\] ended \d+ ms after its interrupt" % way)
            self.assertRegex(log, r'stuck\.py", line \d+ in %s\n' % way)
        self.assertIn("cleaned up", log)
        self.assertNotIn("exception in the app", log)
        self.assertNotIn("harakiri", log)

    def test_who_does_not_end_is_killed_and_the_log_says_what_held_it(self):
        port, daemon = serve(self, "--processes", "3", "--interrupt-timeout", "1")
        before = workers(daemon)
        started = time.monotonic()
        self.assertEqual(set(ask_all(port, ["/" + way for way in self.STUBBORN]).values()), {504})
        self.assertLess(time.monotonic() - started, 3 * harness.PATIENCE)
        eventually(lambda: len(re.findall(r"killed: harakiri", daemon.output())) == 3, 8, "three kills")
        log = daemon.output()
        self.assertRegex(log, r"harakiri: GET /swallow_all .* the app caught the exception and went on")
        for way in ("c_mutex", "gil_mutex"):
            self.assertRegex(log, r"harakiri: GET /%s .* hangs in C code" % way)
        self.assertGreaterEqual(log.count("most recent call first"), 4)  # one interrupted, three killed
        self.assertEqual(set(ask_all(port, ["/short?%d" % n for n in range(9)]).values()), {200})
        self.assertFalse(workers(daemon) & before)

    def test_who_can_be_interrupted_is_before_it_is_killed_however_many_hang(self):
        port, daemon = serve(self, "--processes", "28", "--interrupt-timeout", "1")
        with concurrent.futures.ThreadPoolExecutor(28) as pool:
            hanging = [pool.submit(ask, port, "/c_mutex") for _ in range(27)]
            time.sleep(0.2)  # workers are asked by their numbers: this one has the last
            asked = pool.submit(ask, port, "/sleep")
            self.assertEqual({a.result() for a in [*hanging, asked]}, {504})
        eventually(lambda: re.search(r"GET /sleep \[\w+\] (ended|did not end)", daemon.output()), 10, "its end")
        self.assertRegex(daemon.output(), r"GET /sleep \[\w+\] ended \d+ ms after its interrupt")

    def test_an_answer_that_came_while_the_front_stood_still_is_no_timeout(self):
        port, daemon = serve(self, "--harakiri", "2")
        before = workers(daemon)
        got = []
        asking = threading.Thread(target=lambda: got.append(ask(port, "/work")))  # 1.4 s
        asking.start()
        eventually(lambda: is_running(*before), 5, "it works")
        os.kill(daemon.process.pid, signal.SIGSTOP)
        time.sleep(2.5)
        os.kill(daemon.process.pid, signal.SIGCONT)
        asking.join()
        self.assertEqual(got, [200])
        self.assertEqual(workers(daemon), before)

    def test_a_signal_at_any_time_hits_nobody_who_is_not_meant(self):
        port, daemon = serve(self, "--processes", "2", "--interrupt-timeout", "60")
        pids, over = workers(daemon), threading.Event()

        def disturb():
            while not over.is_set():
                for pid in pids:
                    os.kill(pid, INTERRUPT)
                time.sleep(0.001)

        disturber = threading.Thread(target=disturb)
        disturber.start()
        try:
            got = [request(port, "/short", timeout=20) for _ in range(60)]
        finally:
            over.set()
            disturber.join()
        self.assertEqual({answer.status for answer in got}, {200})
        self.assertLessEqual({int(answer.text) for answer in got}, pids)
        self.assertNotIn("interrupted", daemon.output())

    def test_threads_are_interrupted_where_python_can_and_else_killed(self):
        port, daemon = serve(self, "--processes", "2", "--threads", "3", "--interrupt-timeout", "1")
        before = workers(daemon)
        self.assertEqual(ask_all(port, ["/spin", "/swallow_exception", "/work"]), {"/spin": 504, "/swallow_exception": 504, "/work": 504})
        self.assertEqual(set(ask_all(port, ["/short?%d" % n for n in range(12)]).values()), {200})
        self.assertEqual(workers(daemon), before)
        self.assertEqual(ask(port, "/sleep"), 504)
        eventually(lambda: "killed: harakiri: GET /sleep" in daemon.output(), 6, "the worker is killed")
        self.assertRegex(daemon.output(), "its thread waits in C code or a system call")
        self.assertEqual(set(ask_all(port, ["/short?%d" % n for n in range(12)]).values()), {200})

    def test_what_comes_after_an_interrupt_does_not_go_to_a_process_that_will_be_killed(self):
        port, daemon = serve(self, "--processes", "1", "--threads", "3", "--interrupt-timeout", "1")
        self.assertEqual(ask(port, "/sleep"), 504)
        eventually(lambda: "takes no more requests: GET /sleep" in daemon.output(), 6, "the process is to be replaced")
        eventually(lambda: len(workers(daemon)) == 2, 6, "its successor is there")

        def ends():
            """Somebody is in work until the other is killed."""
            self.assertEqual(set(ask_all(port, ["/short?%d" % n for n in range(6)]).values()), {200})
            return "killed: harakiri: GET /sleep" in daemon.output()

        eventually(ends, 6, "the other is killed")
        self.assertEqual(daemon.output().count(" 502 "), 0)


class Deadlocks(Case):
    def loses_the_process(self, threads):
        port, daemon = serve(self, "--threads", threads, "--deadlock-timeout", "1", name="vassal" + threads)
        before = workers(daemon)
        self.assertEqual(set(ask_all(port, ["/work?%d" % n for n in range(int(threads))]).values()), {200})
        self.assertLessEqual(before, workers(daemon))
        got = ask_all(port, ["/gil_sleep", "/short"] if threads == "1" else ["/work", "/gil_mutex"])
        self.assertEqual(got.get("/gil_sleep") or got["/gil_mutex"], 504)
        self.assertIn(got.get("/work", 504), (200, 504))  # it may have been done, or stood in the same process
        self.assertEqual(ask(port, "/short"), 200)
        eventually(lambda: "killed: deadlock: " in daemon.output(), 5, "the kill")
        log = daemon.output()
        self.assertRegex(log, r"worker 1: deadlock: no thread got the GIL for 1 s, C code holds it .* in work: GET /\w+ \[")
        self.assertRegex(log, r"line \d+ in (mutex|gil_sleep)\n")

    def test_who_never_lets_go_of_the_gil_loses_the_process_and_python_code_does_not(self):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(self.loses_the_process, ("1", "3")))

    def test_without_the_option_nobody_is_killed_for_it(self):
        port, daemon = serve(self, "--threads", "2", "--slow-request", "1", "--reload-mercy", "1")
        before, got = workers(daemon), []
        client = threading.Thread(target=lambda: got.append(ask(port, "/gil_mutex")))
        client.start()
        eventually(lambda: "does not answer" in daemon.output(), 6, "the log says it")
        self.assertRegex(daemon.output(), r"slow request: GET /gil_mutex")
        self.assertEqual(workers(daemon), before)
        daemon.stop()  # its time to finish is over after a second: an answer all the same
        client.join()
        self.assertEqual(got, [503])



def packet(path="/pid", length=0, **more):
    """Of the uwsgi protocol."""
    pairs = {"REQUEST_METHOD": "POST" if length else "GET", "REQUEST_URI": path, "PATH_INFO": path, "QUERY_STRING": "", "SERVER_NAME": "a",
             "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_HOST": "a", "CONTENT_LENGTH": str(length) if length else "", **more}
    data = b"".join(struct.pack("<H", len(x)) + x.encode() for pair in pairs.items() for x in pair)
    return struct.pack("<BHB", 0, len(data), 0) + data


def until_closed(s, pause=0.0, size=65536):
    """Everything that comes, and whether the end of it was a proper one."""
    got = b""
    s.settimeout(15 * harness.PATIENCE)
    with contextlib.suppress(ConnectionResetError):
        while True:
            piece = s.recv(size)
            if not piece:
                return got, True
            got += piece
            time.sleep(pause)
    return got, False


class Table(Case):
    """A row for each timeout: what a client does, what it gets, where it is counted, what the log says."""

    GET = b"GET /pid HTTP/1.1\r\nHost: a\r\n\r\n"
    POST = b"POST /pid HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"
    BIG = b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n"

    def connect(self, port, rcvbuf=None):
        s = socket.socket()
        self.addCleanup(s.close)
        if rcvbuf:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        s.connect(("127.0.0.1", port))
        return s

    def send(self, port, data, drip=b""):
        s = self.connect(port)
        s.sendall(data)
        with contextlib.suppress(OSError):
            for byte in drip:
                time.sleep(0.2)
                s.sendall(bytes([byte]))
        return until_closed(s)

    def read_nothing(self, port, data):
        s = self.connect(port)  # with a large buffer: what the kernel takes at once is not what is meant
        s.sendall(data)
        reset = select.poll()
        reset.register(s, 0)
        self.assertTrue(reset.poll(8000 * harness.PATIENCE), "the answer is given up")
        return until_closed(s)

    def trickle(self, port, data):
        s = self.connect(port, 4096)
        s.sendall(data)
        # much more often than socket-timeout wants: the kernel acknowledges when half its buffer is free
        return until_closed(s, 0.1, 1000)

    def counted(self, name):
        def find(where):
            """Wherever it stands in what the stats socket says."""
            if isinstance(where, dict) and isinstance(where.get(name), int):
                return where[name]
            for inner in where.values() if isinstance(where, dict) else where if isinstance(where, list) else ():
                found = find(inner)
                if found is not None:
                    return found

        return find(json.loads(request(self.stats, "/").body))

    def test_each_ends_in_an_answer_is_logged_and_counted(self):
        http, uwsgi, self.stats = (harness.free_port() for _ in range(3))
        self.e = self.emperor()
        self.e.drop("a", "stuck", "http = 127.0.0.1:%d\nuwsgi-socket = 127.0.0.1:%d\nheader-timeout = 1\nbody-timeout = 1\nkeepalive = 2\n"
                    "queue-timeout = 1\nsocket-timeout = 1\ninterrupt-timeout = 3\nprocesses = 2\nmin-rate = 20000\nresponse-buffer = 4096\nstats = 127.0.0.1:%d"
                    % (http, uwsgi, self.stats))
        self.e.wait_up("a", "/pid")
        rows = (
            # timeout, what the client does, status and whether the end is proper, counter, words of the log
            ("header-timeout", lambda: self.send(http, b"GET / HT"), (408, True), "read_timeouts", "header-timeout\\)"),
            ("header-timeout, uwsgi", lambda: self.send(uwsgi, packet()[:30]), (408, True), "read_timeouts", "header-timeout\\)"),
            ("body-timeout", lambda: self.send(http, self.POST + b"abc"), (408, True), "read_timeouts", "body-timeout\\)"),
            ("body-timeout, uwsgi", lambda: self.send(uwsgi, packet(length=1000) + b"abc"), (408, True), "read_timeouts", "body-timeout\\)"),
            ("min-rate of a body", lambda: self.send(http, self.POST, b"x" * 9), (408, None), "read_timeouts", "body comes too slowly"),
            ("min-rate of a body, uwsgi", lambda: self.send(uwsgi, packet(length=1000), b"x" * 9), (408, None), "read_timeouts",
             "body comes too slowly"),
            ("keepalive", lambda: self.send(http, self.GET), (200, True), "idle_timeouts", None),
            ("socket-timeout", lambda: self.read_nothing(http, self.BIG), (200, None), "write_timeouts", "does not read its answer"),
            ("socket-timeout, uwsgi", lambda: self.read_nothing(uwsgi, packet("/big")), (200, None), "write_timeouts",
             "does not read its answer"),
            ("min-rate of an answer", lambda: self.trickle(http, self.BIG), (200, None), "write_timeouts", "reads its answer too slowly"),
            ("interrupt-timeout", lambda: self.send(http, b"GET /sleep HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), (504, True),
             "timeouts", "interrupt: GET /sleep"),
        )
        self.check(rows, 6)
        # all workers are busy; what comes now waits behind them
        holds = [self.connect(http) for _ in range(2)]
        for s in holds:
            s.sendall(b"GET /hold HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        rows = (
            ("queue-timeout", lambda: self.send(http, b"GET /pid HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), (503, True),
             "queue_timeouts", r'" 503 \d+ queue=1\d\d\d'),
            ("queue-timeout, body in a file", lambda: self.send(
                http, b"POST /pid HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100000), (503, True),
             "queue_timeouts", r'" 503 \d+ queue=1\d\d\d'),
            ("queue-timeout, uwsgi", lambda: self.send(uwsgi, packet()), (503, True), "queue_timeouts", None),
        )
        self.check(rows, 4)
        self.assertEqual([until_closed(s)[0][9:12] for s in holds], [b"200", b"200"])

    def test_a_generation_that_is_not_ready_in_time_says_so(self):
        daemon = self.vassal("--http", "127.0.0.1:%d" % harness.free_port(), "--chdir", str(harness.APPS), "--module", "slow_import",
                             "--startup-timeout", "1", "--env", "SECONDS=30")
        eventually(lambda: not daemon.alive(), 8, "it gives up")
        self.assertEqual(daemon.process.returncode, 22)
        self.assertIn("not ready within 1 s (startup-timeout)", daemon.output())
        self.assertIn("most recent call first", daemon.output())

    def check(self, rows, seconds):
        before = {row[3]: self.counted(row[3]) for row in rows}
        started = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(len(rows)) as pool:
            got = list(pool.map(lambda row: row[1](), rows))
        self.assertLess(time.monotonic() - started, seconds * harness.PATIENCE)
        for (name, _, (status, proper), counter, words), (data, end) in zip(rows, got):
            with self.subTest(name=name):
                self.assertEqual(int(data.split(b" ")[1]) if data else None, status, data[:100])
                if proper is not None:
                    self.assertEqual(end, proper)
                if status == 200 and "answer" in str(words):
                    self.assertLess(len(data), 8 << 20)
                if status == 503:
                    self.assertIn(b"\r\nRetry-After: ", data)
                if words:
                    eventually(lambda words=words: re.search(words, self.e.output()), 5, "%s in the log" % words)
        for counter, n in before.items():
            wanted = n + sum(row[3] == counter for row in rows)
            eventually(lambda: self.counted(counter) >= wanted, 5, "%s is at least %d" % (counter, wanted))



class Start(Case):
    """X-Request-Start of a proxy."""

    def stale(self, port, ago=120, form="t=%.3f"):
        return request(port, "/pid", headers={"X-Request-Start": form % (time.time() - ago)})

    def test_what_has_waited_too_long_in_a_trusted_proxy_costs_no_worker(self):
        port, daemon = serve(self, "--trusted-proxies", "127.0.0.1", "--queue-timeout", "60")
        for form, factor in (("t=%.3f", 1), ("%.3f", 1), ("%d", 1000), ("%d", 1000000)):
            with self.subTest(form=form, factor=factor):
                answer = request(port, "/pid", headers={"X-Request-Start": form % ((time.time() - 120) * factor)})
                self.assertEqual(answer.status, 503)
                self.assertIn("Retry-After", answer.headers)
                self.assertEqual(self.stale(port, 1).status, 200)
                self.assertEqual(self.stale(port, -1000).status, 200)
        self.assertRegex(daemon.output(), r'"GET /pid" 503 \d+ queue=120\d\d\d')
        with socket.create_connection(("127.0.0.1", port)) as s:  # the connection lives on, and a body is not taken for a request
            head = b" /pid HTTP/1.1\r\nHost: a\r\n"
            start = b"X-Request-Start: t=%.3f\r\n" % (time.time() - 120)
            s.sendall(b"GET" + head + start + b"\r\nGET" + head + b"\r\nPOST" + head + start + b"Content-Length: 30\r\n\r\nGET /pid HTTP/1.1\r\nHost: a\r\n\r\n")
            got = until_closed(s)[0]
        self.assertEqual(re.findall(rb"HTTP/1.1 (\d+)", got), [b"503", b"200", b"503"])

    def test_others_are_not_asked_and_a_clock_that_is_wrong_is_found_out(self):
        port, daemon = serve(self)
        self.assertEqual(self.stale(port).status, 200)
        path, port = str(self.folder / "own.sock"), harness.free_port()
        self.vassal("--uwsgi-socket", path, "--http", "127.0.0.1:%d" % port, "--chdir", str(harness.APPS), "--module", "stuck", name="unix")
        eventually(lambda: "vassal: serving" in self.daemons[-1].output(), 10, "it serves")

        def ask_uwsgi():
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(path)
                s.sendall(packet(HTTP_X_REQUEST_START="t=%.3f" % (time.time() - 120)))
                return until_closed(s)[0][9:12]

        self.assertEqual([ask_uwsgi() for _ in range(18)], [b"503"] * 16 + [b"200"] * 2)
        self.assertIn("clock is not believed", self.daemons[-1].output())



class Overload(Case):
    def test_when_more_comes_than_can_be_done_the_newest_are_served_and_the_oldest_get_503(self):
        """Twice what two workers can do: in turn everybody would wait as long as queue-timeout; newest first most wait hardly at all."""
        port, daemon = serve(self, "--processes", "2", "--queue-timeout", "2", "--queue-size", "400")
        waits, lock = {200: [], 503: []}, threading.Lock()

        def client(until):
            while time.monotonic() < until:
                started = time.monotonic()
                status = request(port, "/short", timeout=20).status
                with lock:
                    waits[status].append((started, time.monotonic() - started))

        begun = time.monotonic()
        clients = [threading.Thread(target=client, args=(begun + 3.5,)) for _ in range(200)]
        for c in clients:
            c.start()
        for c in clients:
            c.join()
        self.assertRegex(daemon.output(), r"overload: \d+ requests? waits?, the oldest for \d+ ms; the newest are served first now")
        late = sorted(wait for started, wait in waits[200] if started > begun + 1)
        self.assertGreater(len(late), 100)
        self.assertLess(late[len(late) // 2], 0.3 * harness.PATIENCE)  # in turn it would be a second: 200 clients at 200 a second
        self.assertEqual(ask(port, "/short"), 200)
        eventually(lambda: "the overload is over" in daemon.output(), 5, "it ends")

    def test_workers_that_are_added_meanwhile_get_requests_too(self):
        port, daemon = serve(self, "--queue-timeout", "5", module="hostile", up="/pid")
        with concurrent.futures.ThreadPoolExecutor(40) as pool:
            answers = [pool.submit(ask, port, "/sleep?0.5") for _ in range(40)]
            eventually(lambda: "the newest are served first now" in daemon.output(), 5, "overload")
            for want in range(2, 7):  # one by one: signals do not queue
                os.kill(daemon.process.pid, signal.SIGTTIN)
                eventually(lambda: len(workers(daemon)) == want, 5, "%d workers" % want)
            # 20 s for one worker, 10 s for the two requests that one has at hand
            self.assertEqual({a.result() for a in answers}, {200})

    def test_who_leaves_is_taken_out_of_the_queue_with_his_body_in_a_file_too(self):
        uwsgi = harness.free_port()
        port, daemon = serve(self, "--uwsgi-socket", "127.0.0.1:%d" % uwsgi)
        hold = threading.Thread(target=lambda: ask(port, "/hold"))
        hold.start()
        eventually(lambda: "holding" in daemon.output(), 5)
        body = b"x" * 200000
        waiting = []
        for to, data in ((port, b"GET /pid?small HTTP/1.1\r\nHost: a\r\n\r\n"), (uwsgi, packet("/pid?uwsgi", len(body)) + body),
                         (port, b"POST /pid?large HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body)):
            s = socket.create_connection(("127.0.0.1", to))
            s.sendall(data)
            waiting.append(s)
        time.sleep(0.5)  # a client that ends its sending at once may only have asked in the way of printf | nc
        for s in waiting:
            s.close()
        hold.join()
        self.assertEqual(ask(port, "/short"), 200)
        for line in ("GET /pid?small", "POST /pid?uwsgi", "POST /pid?large"):
            eventually(lambda: '"%s" - 0' % line in daemon.output(), 5, line)
            self.assertNotIn('"%s" 200' % line, daemon.output())


if __name__ == "__main__":
    unittest.main(verbosity=2)
