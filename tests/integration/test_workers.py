"""Workers that end, by limits, by signals, by their own mistakes; what clients and the log get to see."""

import contextlib
import os
import re
import signal
import threading
import time
import unittest

import harness
from harness import Case, eventually, request
from test_http import serve


class Ends(Case):
    def test_a_stuck_request_gets_504_its_stack_is_logged_and_the_worker_replaced(self):
        port, daemon = serve(self, "--harakiri", "1")
        before = request(port, "/pid").text
        started = time.monotonic()
        self.assertEqual(request(port, "/sleep?60", timeout=20).status, 504)
        self.assertLess(time.monotonic() - started, 5 * harness.PATIENCE)
        eventually(lambda: "harakiri" in daemon.output() and "in sleep" in daemon.output(), 5, "stack of the stuck request")
        self.assertIn("/sleep?60", daemon.output())
        self.assertNotEqual(request(port, "/pid", timeout=20).text, before)

    def test_a_worker_that_dies_in_a_request_is_a_502_named_in_the_log(self):
        port, daemon = serve(self, "--processes", "2")
        for path, words in (("/crash", r"signal 11"), ("/die", r"signal 9")):
            with self.subTest(path=path):
                self.assertEqual(request(port, path, timeout=20).status, 502)
                eventually(lambda: re.search(words, daemon.output()), 5, words)
                self.assertRegex(daemon.output(), r"%s.*GET %s|GET %s.*%s" % (words, path, path, words))
        for _ in range(10):
            self.assertEqual(request(port, "/plain", timeout=20).status, 200)

    def test_an_idle_worker_that_is_killed_is_replaced_and_nobody_notices(self):
        port, daemon = serve(self, "--processes", "1")
        for _ in range(3):
            pid = int(request(port, "/pid", timeout=20).text)
            os.kill(pid, signal.SIGKILL)
            answer = request(port, "/pid", timeout=20)
            self.assertEqual(answer.status, 200)
            self.assertNotEqual(int(answer.text), pid)

    def test_requests_that_wait_survive_the_death_of_the_worker(self):
        port, daemon = serve(self, "--processes", "1")
        got = []
        first = threading.Thread(target=lambda: got.append(("first", request(port, "/sleep?30", timeout=40).status)))
        first.start()
        time.sleep(0.3)  # long enough for it to be in the app; nothing outside can see that
        rest = [threading.Thread(target=lambda: got.append(("rest", request(port, "/plain", timeout=40).status))) for _ in range(5)]
        for t in rest:
            t.start()
        time.sleep(0.3)
        workers = [p for p in daemon.strays() if "worker" in harness.title(p)]
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        for t in [first, *rest]:
            t.join()
        self.assertEqual(sorted(got), [("first", 502)] + [("rest", 200)] * 5)


    def test_nobody_else_is_hurt_when_a_worker_with_a_stuck_thread_is_killed(self):
        port, daemon = serve(self, "--processes", "2", "--threads", "4", "--harakiri", "1")
        stuck, others = [], []
        over = threading.Event()

        def ask():
            while not over.is_set():
                others.append(request(port, "/plain", timeout=20).status)

        askers = [threading.Thread(target=ask) for _ in range(4)]
        for t in askers:
            t.start()
        try:
            stuck = [request(port, "/sleep?60", timeout=20).status for _ in range(2)]
            eventually(lambda: len(re.findall(r"killed: harakiri", daemon.output())) == 2, 5, "both workers are killed")
        finally:
            over.set()
            for t in askers:
                t.join()
        self.assertEqual(stuck, [504, 504])
        self.assertGreater(len(others), 100)
        self.assertEqual(set(others), {200})

    def test_requests_that_crash_do_not_take_the_app_from_everybody_else(self):
        port, daemon = serve(self, "--processes", "2")
        for i in range(18):  # each another one: the same would be fused
            self.assertEqual(request(port, "/crash?%d" % i, timeout=30).status, 502)
        started = time.monotonic()
        self.assertEqual(request(port, "/plain", timeout=30).status, 200)
        self.assertLess(time.monotonic() - started, 2 * harness.PATIENCE)
        self.assertNotIn("before it was ready", daemon.output())

    def test_sys_exit_in_one_thread_leaves_no_request_waiting_beside_idle_workers(self):
        port, daemon = serve(self, "--processes", "2", "--threads", "4")
        go = self.folder / "go"
        slow = threading.Thread(target=lambda: request(port, "/hold?%s" % go, timeout=60))
        slow.start()  # keeps its worker from leaving at once
        eventually(lambda: "holding" in daemon.output(), what="the slow request in work")
        try:
            for _ in range(2):
                request(port, "/exits", timeout=20)
                for _ in range(8):
                    started = time.monotonic()
                    self.assertEqual(request(port, "/plain", timeout=20).status, 200)
                    self.assertLess(time.monotonic() - started, 1.5 * harness.PATIENCE)
        finally:
            go.touch()
            slow.join()


class Recycling(Case):
    def test_max_requests_replaces_workers_without_a_failed_request(self):
        port, daemon = serve(self, "--processes", "2", "--max-requests", "20")
        pids = set()
        for _ in range(300):
            answer = request(port, "/pid", timeout=20)
            self.assertEqual(answer.status, 200)
            pids.add(answer.text)
        self.assertGreater(len(pids), 4)
        eventually(lambda: "max-requests" in daemon.output(), 5)

    def test_memory_growth_replaces_the_worker_and_says_so(self):
        port, daemon = serve(self, "--reload-on-rss", "80")
        before = request(port, "/grow?100").text
        eventually(lambda: request(port, "/pid", timeout=20).text != before, 20, "another worker")
        eventually(lambda: "rss" in daemon.output().lower(), 10, "the reason in the log")


def workers_of(daemon):
    return {p for p in daemon.strays() if re.search(r" worker \d", harness.title(p))}


class Scaling(Case):
    def test_ttin_and_ttou_add_and_take_away_one_worker_and_no_request_notices(self):
        port, daemon = serve(self, "--processes", "2")
        front = daemon.process.pid
        answers = []
        stop = threading.Event()

        def ask():
            while not stop.is_set():
                answers.append(request(port, "/plain", timeout=20).status)

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            for want in (3, 4):  # one by one: signals do not queue
                os.kill(front, signal.SIGTTIN)
                eventually(lambda: len(workers_of(daemon)) == want, 10, "%d workers" % want)
            for want in (3, 2, 1):
                os.kill(front, signal.SIGTTOU)
                eventually(lambda: len(workers_of(daemon)) == want, 10, "%d workers" % want)
            os.kill(front, signal.SIGTTOU)
            eventually(lambda: "room for 1 to" in daemon.output(), 5, "a word about the last worker")
        finally:
            stop.set()
            asking.join()
        self.assertEqual(set(answers), {200})
        self.assertEqual(len(workers_of(daemon)), 1)


    def test_workers_come_when_requests_wait_and_all_of_them_get_their_answer(self):
        port, daemon = serve(self, "--processes", "4", "--cheaper", "1")
        self.assertEqual(len(workers_of(daemon)), 1)
        answers = []
        asking = [threading.Thread(target=lambda: answers.append(request(port, "/sleep?1.5", timeout=20).status)) for _ in range(4)]
        started = time.monotonic()
        for t in asking:
            t.start()
        eventually(lambda: len(workers_of(daemon)) == 4, 5, "all workers")
        for t in asking:
            t.join()
        # one after another they would take 6 s
        self.assertLess(time.monotonic() - started, 5)
        self.assertEqual(answers, [200] * 4)
        self.assertRegex(daemon.output(), r"2 of 4 processes from now on: (a request waited [1-9]\d* ms|\d+ requests? waits? for a worker)")

    def test_who_comes_when_all_workers_have_long_been_busy_waits_no_longer_than_others(self):
        port, daemon = serve(self, "--processes", "5", "--cheaper", "1")
        asking, go = [], self.folder / "go"
        self.addCleanup(go.touch)
        for busy in range(1, 5):
            asking.append(threading.Thread(target=request, args=(port, "/hold?%s" % go), kwargs={"timeout": 60}))
            asking[-1].start()
            eventually(lambda: len(workers_of(daemon)) == busy, 0.35, "%d workers" % busy)
            time.sleep(0.5)  # turns of the front in which nobody waits
        go.touch()
        for t in asking:
            t.join()


class Naps(Case):
    def test_a_nap_leaves_only_the_mold_and_the_next_request_is_answered_by_a_fresh_fork(self):
        site = harness.EXAMPLES / "apps" / "django_app"
        port = harness.free_port()
        daemon = self.vassal("--http", "127.0.0.1:%d" % port, "--chdir", str(site), "--wsgi-file", "guestbook/wsgi.py",
                             "--warmup", "/", "--cheap", "--idle", "1", "--processes", "2")

        def answers():
            with contextlib.suppress(OSError):
                return request(port, "/", timeout=20).status == 200

        eventually(answers, 20, "Django")
        times = []
        for n in range(1, 4):
            eventually(lambda: daemon.output().count("nap: no request") == n and not workers_of(daemon), 10, "nap %d" % n)
            started = time.monotonic()
            self.assertEqual(request(port, "/", timeout=20).status, 200)
            times.append(time.monotonic() - started)
            eventually(lambda: len(workers_of(daemon)) == 2, 5, "the other worker")
        # 10 ms on a machine that does nothing else; a cold start takes 300
        self.assertLess(min(times), 0.1 * harness.PATIENCE, times)
        if os.environ.get("EMPEROR_FIGURES"):
            print("first page after a nap: " + ", ".join("%.1f ms" % (t * 1000) for t in times))

    def test_a_cheap_app_that_cannot_be_imported_still_fails_at_its_start(self):
        daemon = self.vassal("--http", "127.0.0.1:%d" % harness.free_port(), "--module", "nowhere.at_all", "--cheap")
        self.assertEqual(daemon.process.wait(20 * harness.PATIENCE), 22)
        self.assertIn("nowhere", daemon.output())

    def test_a_cheap_app_proves_its_health_in_one_worker_first(self):
        daemon = self.vassal("--http", "127.0.0.1:%d" % harness.free_port(), "--chdir", str(harness.APPS), "--module", "shapes",
                             "--cheap", "--health-check", "/plain", "--health-check-status", "204")
        self.assertEqual(daemon.process.wait(20 * harness.PATIENCE), 22)


    def nap(self, daemon, n):
        eventually(lambda: daemon.output().count("nap: no request") == n and not workers_of(daemon), 10, "nap %d" % n)

    def loads(self, again, *options):
        port, daemon = serve(self, "--processes", "1", "--idle", "1", *options)
        loader, answerer = request(port, "/loaded").text.split()
        self.assertEqual(loader, answerer)
        for n in (1, 2):
            self.nap(daemon, n)
            now_loader, now_answerer = request(port, "/loaded", timeout=20).text.split()
            self.assertNotEqual(now_answerer, answerer)
            self.assertEqual(now_loader, now_answerer if again else loader)
        self.assertEqual(daemon.output().count("is the parent of a new mold"), 0 if again else 1)
        self.assertEqual(len([p for p in daemon.strays() if harness.title(p).endswith(" mold")]), 1)

    def test_what_the_first_request_has_loaded_is_there_after_a_nap(self):
        self.loads(False)

    def test_without_idle_refork_it_is_loaded_again_after_every_nap(self):
        self.loads(True, "--idle-refork=false")

    def test_a_worker_with_something_open_naps_as_it_is_and_the_log_says_why(self):
        port, daemon = serve(self, "--processes", "1", "--idle", "1")
        self.assertEqual(request(port, "/open_socket").status, 200)
        self.nap(daemon, 1)
        self.assertRegex(daemon.output(), r"idle-refork: worker 1 cannot be forked from: a request has opened socket:.*\(not tried again\)")
        self.assertEqual(request(port, "/plain", timeout=20).status, 200)
        self.nap(daemon, 2)
        self.assertEqual(daemon.output().count("idle-refork"), 1)


class Refork(Case):
    def mold(self, daemon):
        return [p for p in daemon.strays() if harness.title(p).endswith(" mold")]

    def test_a_warmed_worker_becomes_the_parent_of_all_others_and_no_request_is_lost(self):
        port, daemon = serve(self, "--processes", "3", "--refork", "30")
        before, first = self.mold(daemon), workers_of(daemon)
        self.assertEqual(len(before), 1)
        seen = set()

        def ask():
            answer = request(port, "/pid", timeout=20)
            self.assertEqual(answer.status, 200)
            seen.add(int(answer.text))

        def replaced():
            ask()
            now = self.mold(daemon)
            return len(now) == 1 and now != before and len(workers_of(daemon)) == 3 and len(workers_of(daemon) & first) == 1

        for _ in range(60):
            ask()
        eventually(replaced, 15, "another mold, and workers of it")
        self.assertRegex(daemon.output(), r"refork: worker \d is the parent of a new mold")
        # the new ones work, die, and come back as forks of the new mold
        for _ in range(3):
            pid = int(request(port, "/pid", timeout=20).text)
            os.kill(pid, signal.SIGKILL)
            eventually(lambda: len(workers_of(daemon)) == 3 and pid not in workers_of(daemon), 10, "three workers")
        for _ in range(30):
            ask()
        self.assertEqual(request(port, "/echo", method="POST", body=b"x" * 300000, timeout=20).body, b"x" * 300000)

    def test_a_worker_with_something_open_is_not_forked_and_the_status_says_why(self):
        e = self.emperor()
        e.drop("app", module="shapes", app=harness.APPS, extra="refork = 5")
        e.wait_up("app", "/plain")
        self.assertEqual(e.get("app", "/open_socket").status, 200)
        eventually(lambda: e.get("app", "/plain").status == 200 and "a request has opened socket:" in e.ctl_text("status", "app").stdout,
                   15, "the reason in the status")


class Limits(Case):
    def test_processes_get_the_niceness_and_the_processors_that_the_ini_says(self):
        port, daemon = serve(self, "--prio", "7", "--cpu-affinity", "1", "--processes", "2")
        allowed = sorted(os.sched_getaffinity(0))
        seen = set()
        for pid in workers_of(daemon):
            self.assertEqual(os.getpriority(os.PRIO_PROCESS, pid), 7)
            seen.add(tuple(os.sched_getaffinity(pid)))
        self.assertEqual(seen, {(cpu,) for cpu in allowed[:2]})
        self.assertEqual(os.getpriority(os.PRIO_PROCESS, daemon.process.pid), os.getpriority(os.PRIO_PROCESS, 0))

    def test_a_worker_has_the_limits_that_the_ini_says_and_lives_through_hitting_one(self):
        port, daemon = serve(self, "--max-fd", "300", "--limit-as", "700M", "--limit-nproc", "5000")
        self.assertEqual(request(port, "/limits").text, "300 %d 5000" % (700 << 20))
        before = request(port, "/pid").text
        self.assertEqual(request(port, "/grow?1000").status, 500)
        eventually(lambda: "MemoryError" in daemon.output(), 5, "the traceback")
        self.assertEqual(request(port, "/pid").text, before)

    def test_status_says_what_the_workers_are_up_to(self):
        e = self.emperor()
        e.drop("app", extra="processes = 3\ncheap = true\ncheaper = 1")
        eventually(lambda: "naps: the next request" in e.ctl_text("status", "app").stdout, 15, "a nap in the status")
        e.wait_up("app")
        eventually(lambda: "1 of 3 processes is enough" in e.ctl_text("status", "app").stdout, 10, "one of three in the status")

    def test_memory_that_one_request_eats_and_does_not_end_is_a_kill_with_the_figure(self):
        port, daemon = serve(self, "--evil-reload-on-rss", "80")
        self.assertEqual(request(port, "/grow?100&30", timeout=30).status, 502)
        eventually(lambda: re.search(r"rss \d+M over evil-reload-on-rss 80M for 3 checks, in a request", daemon.output()), 5)
        self.assertEqual(request(port, "/plain", timeout=20).status, 200)


if __name__ == "__main__":
    unittest.main(verbosity=2)
