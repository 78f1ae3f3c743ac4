"""Requests that take too long, and clients that do: each end is an answer, in the log, counted."""

import concurrent.futures
import contextlib
import http.client
import os
import re
import signal
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



class Deadlocks(Case):
    def test_who_never_lets_go_of_the_gil_loses_the_process_and_python_code_does_not(self):
        for threads in ("1", "3"):
            with self.subTest(threads=threads):
                port, daemon = serve(self, "--threads", threads, "--deadlock-timeout", "1", name="vassal" + threads)
                before = workers(daemon)
                self.assertEqual(set(ask_all(port, ["/work?%d" % n for n in range(int(threads))]).values()), {200})
                self.assertEqual(workers(daemon), before)
                got = ask_all(port, ["/gil_sleep", "/short"] if threads == "1" else ["/work", "/gil_mutex"])
                self.assertEqual(got.get("/gil_sleep") or got["/gil_mutex"], 504)
                self.assertIn(got.get("/work", 504), (200, 504))  # it may have been done, or stood in the same process
                self.assertEqual(ask(port, "/short"), 200)
                eventually(lambda: "killed: deadlock: " in daemon.output(), 5, "the kill")
                log = daemon.output()
                self.assertRegex(log, r"worker 1: deadlock: no thread got the GIL for 1 s, C code holds it .* in work: GET /\w+ \[")
                self.assertRegex(log, r"line \d+ in (mutex|gil_sleep)\n")
                self.assertFalse(workers(daemon) & before)

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


if __name__ == "__main__":
    unittest.main(verbosity=2)
