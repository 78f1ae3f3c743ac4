"""Faults on purpose: processes killed and stopped under load, hostile apps, hostile clients, storms of changes. Whoever
is not the fault's own victim gets an answer, everything recovers by itself, and nothing is left behind."""

import contextlib
import http.client
import os
import random
import re
import signal
import socket
import struct
import threading
import time
import unittest

import harness
from harness import Case, descendants, eventually, title
from load import Load


class Faults(Case):
    def titled(self, e, pattern):
        return [p for p in descendants(e.process.pid) if re.search(pattern, title(p))]

    def hit(self, e, pattern, sig, times, pause=0.25):
        for _ in range(times):
            for pid in self.titled(e, pattern)[:1]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, sig)
            time.sleep(pause)

    def descriptors(self, pid):
        return len(os.listdir("/proc/%d/fd" % pid))

    def two(self, extra="processes = 2"):
        e = self.emperor()
        for name in ("a", "b"):
            e.drop(name, "hostile", extra)
        for name in ("a", "b"):
            e.wait_up(name)
        return e


class Killed(Faults):
    def test_dead_workers_and_molds_cost_at_most_the_request_in_hand(self):
        e = self.two()
        with Load(e.port, ["a.test"]) as keep, Load(e.port, ["a.test"], 2, keep=False) as close:
            for pattern, sig in ((r"^a worker", signal.SIGKILL), (r"^a worker", signal.SIGSEGV), (r"^a mold", signal.SIGKILL)):
                self.hit(e, pattern, sig, 4)
        self.assertEqual((keep.bad(502), close.bad(502)), ({}, {}))
        self.assertLessEqual(keep.seen[502] + close.seen[502], 8)
        eventually(lambda: len(self.titled(e, r"^a worker")) == 2, what="two workers again")

    def test_a_dead_front_comes_back_and_its_neighbour_notices_nothing(self):
        e = self.two()
        with Load(e.port, ["b.test"]) as neighbour:
            self.hit(e, r"^vassal: a$", signal.SIGKILL, 1)
            e.wait_up("a")
        self.assertEqual(neighbour.bad(), {})
        eventually(lambda: len(self.titled(e, r"^a (worker|mold)")) == 3, what="the old front's engine is gone")

    def test_a_dead_gate_or_stats_role_comes_back_and_kept_connections_live_on(self):
        e = self.two()
        with Load(e.port, ["a.test"]) as keep:
            eventually(lambda: keep.seen[200] > 20)
            self.hit(e, r"^emperor: (gate|stats)$", signal.SIGKILL, 2)
            eventually(lambda: len(self.titled(e, r"^emperor: (gate|stats)$")) == 2, what="both roles again")
            e.wait_up("b")
        self.assertEqual(keep.bad(), {})

    def test_a_stopped_process_delays_but_loses_nothing(self):
        e = self.two()
        with Load(e.port, ["a.test"]) as keep, Load(e.port, ["a.test"], 2, keep=False) as close:
            for pattern in (r"^a worker", r"^a mold", r"^vassal: a$", r"^emperor: gate$", r"^emperor: stats$"):
                pid = self.titled(e, pattern)[0]
                os.kill(pid, signal.SIGSTOP)
                time.sleep(0.4)
                os.kill(pid, signal.SIGCONT)
        self.assertEqual((keep.bad(), close.bad()), ({}, {}))


class Changes(Faults):
    def test_a_storm_of_reloads_loses_nothing_and_leaks_nothing(self):
        e = self.two()
        before = self.at_rest(e)
        with Load(e.port, ["a.test", "b.test"]) as keep, Load(e.port, ["a.test"], 2, keep=False) as close:
            for _ in range(60):
                os.utime(e.vassals / "a.ini")
                time.sleep(0.05)
            for _ in range(10):
                e.ctl("reload", "b")
        self.assertEqual((keep.bad(), close.bad()), ({}, {}))

        seen = []

        def settled():
            seen[:] = self.counts(e)
            return seen == before and len(self.titled(e, r"^vassal: ")) == 2

        try:
            eventually(settled, 15, "as many descriptors and fronts as before")
        except AssertionError as lasting:
            raise AssertionError("%s: %s before, %s now, %d fronts" % (lasting, before, seen, len(self.titled(e, r"^vassal: ")))) from None

    def counts(self, e):
        return [self.descriptors(p) for p in (e.process.pid, *self.titled(e, r"^emperor: gate$"))]

    def at_rest(self, e):
        """What a start or a command has open for a moment does not count."""
        seen = []

        def stands():
            seen.append(self.counts(e))
            time.sleep(0.2)
            return len(seen) > 4 and all(s == seen[-1] for s in seen[-4:])

        eventually(stands, 15, "numbers of descriptors that stand still")
        return seen[-1]

    def test_inis_deleted_while_they_start_leave_nothing(self):
        e = self.two()
        for pause in (0, 0.05, 0.15, 0.3, 0.5, 0.55):
            path = e.drop("s", "slow_import", "env = SECONDS=0.5")
            time.sleep(pause)
            path.unlink()
        eventually(lambda: e.state("s") is None and not self.titled(e, r"^(s |vassal: s$)"), what="s is gone")
        self.assertEqual(e.get("s").status, 404)

    def test_eight_workers_recycled_every_ten_requests_lose_nothing(self):
        e = self.emperor()
        e.drop("a", "hostile", "processes = 8\nmax-requests = 10")
        e.wait_up("a")
        with Load(e.port, ["a.test"], 6) as keep, Load(e.port, ["a.test"], 2, keep=False) as close:
            time.sleep(3)
        self.assertEqual((keep.bad(), close.bad()), ({}, {}))

    def test_an_app_that_is_deleted_takes_no_other_apps_request_with_it(self):
        e = self.two()
        text = (e.vassals / "a.ini").read_text()
        for _ in range(3):
            clients = []
            for _ in range(20):
                c = http.client.HTTPConnection("127.0.0.1", e.port, timeout=15 * harness.PATIENCE)
                c.request("GET", "/", headers={"Host": "a.test"})
                c.getresponse().read()
                clients.append(c)
            with Load(e.port, ["a.test", "b.test"], 6) as hop:
                time.sleep(0.2)
                (e.vassals / "a.ini").unlink()
                eventually(lambda: e.state("a") is None, what="a is gone")
            for c in clients:
                c.close()
            self.assertEqual(hop.bad(404, 503), {})
            e.write("a", text)
            e.wait_up("a")


class Apps(Faults):
    # path, what its client gets
    MISDEEDS = (
        ("/segfault", 502), ("/os_exit", 502), ("/abort", 502), ("/sys_exit", 500), ("/memory", 500), ("/recurse", 500),
        ("/interrupt", 500), ("/generator_exit", 500), ("/header_bomb", 500), ("/raise_in_close", 200),
        ("/own_signal?15", 200), ("/close_low", 200), ("/close_all", 200), ("/chdir", 200), ("/wait_all", 200),
        ("/threads", 200), ("/binary", 200), ("/flood?20", 200), ("/fork_child?0.1", 200),
    )

    def test_each_misdeed_has_its_answer_and_the_next_request_is_served(self):
        e = self.two()
        for path, status in self.MISDEEDS:
            with self.subTest(path=path):
                self.assertEqual(e.get("a", path, timeout=20).status, status)
                self.assertEqual([e.get("a", "/pid").status for _ in range(4)], [200] * 4)

    def test_whatever_a_request_hangs_in_harakiri_ends_it(self):
        e = self.two("processes = 2\nharakiri = 1")
        for path in ("/sleep?30", "/spin", "/backtrack", "/deadlock", "/stubborn", "/deaf", "/stop_self"):
            with self.subTest(path=path):
                started = time.monotonic()
                self.assertEqual(e.get("a", path, timeout=20).status, 504)
                self.assertLess(time.monotonic() - started, 4 * harness.PATIENCE)
                self.assertEqual(e.get("a").status, 200)
                eventually(lambda: len(self.titled(e, r"^a worker")) == 2, what="two workers again")

    def test_a_worker_that_is_to_be_killed_takes_no_more_requests(self):
        e = self.two("processes = 2\nthreads = 4\nharakiri = 1")
        with Load(e.port, ["a.test"], 8, path="/sleep?0.05") as innocent:
            for _ in range(4):
                self.assertEqual(e.get("a", "/sleep?5", timeout=20).status, 504)
        self.assertEqual(innocent.bad(), {})

    def test_a_forked_child_that_exits_harms_no_request(self):
        e = self.two("processes = 1\nharakiri = 3")
        for _ in range(3):
            self.assertEqual(e.get("a", "/fork_exit", timeout=20).status, 200)
            self.assertEqual([e.get("a", timeout=20).status for _ in range(4)], [200] * 4)

    def test_a_forked_child_that_returns_serves_no_request(self):
        e = self.two("processes = 1\nharakiri = 3")
        for _ in range(3):
            self.assertIn("parent", e.get("a", "/fork_return", timeout=20).text)
            self.assertEqual([e.get("a", timeout=20).status for _ in range(4)], [200] * 4)
        eventually(lambda: len(self.titled(e, r"^a worker")) == 1, 5, "one worker")


class Clients(Faults):
    def connect(self, e, data=b""):
        s = socket.create_connection(("127.0.0.1", e.port), timeout=15 * harness.PATIENCE)
        s.sendall(data)
        return s

    def test_resets_at_any_moment_leak_no_descriptor_and_disturb_nobody(self):
        e = self.two()
        front = self.titled(e, r"^vassal: b$")[0]
        before = self.descriptors(front)
        head = b"POST /echo HTTP/1.1\r\nHost: b.test\r\nContent-Length: 200000\r\n\r\n"
        with Load(e.port, ["b.test"], 2) as good:
            for n in range(200):
                data = (b"GE", b"GET / HTTP/1.1\r\nHost: b.test\r\n\r\n", b"GET /big?3 HTTP/1.1\r\nHost: b.test\r\n\r\n",
                        head + b"x" * 70000)[n % 4]
                s = self.connect(e, data)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                s.close()
        self.assertEqual(good.bad(), {})
        eventually(lambda: self.descriptors(front) <= before, what="as many descriptors as before")

    def test_garbage_is_refused_with_an_answer(self):
        e = self.two()
        chance = random.Random(7)
        for _ in range(100):
            damaged = bytearray(b"GET / HTTP/1.1\r\nHost: a.test\r\nX: y\r\n\r\n")
            damaged[chance.randrange(14)] = chance.randrange(33)
            answer = harness.raw(e.port, bytes(damaged), shutdown=True)
            self.assertRegex(answer, rb"^HTTP/1.1 (200|4\d\d|505) ")
        self.assertEqual(e.get("a").status, 200)

    def test_a_thousand_pipelined_requests_are_answered_in_order(self):
        e = self.two()
        one = b"GET /pid HTTP/1.1\r\nHost: a.test\r\n\r\n"
        last = b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"
        with self.connect(e) as s:
            sender = threading.Thread(target=s.sendall, args=(one * 999 + last,))
            sender.start()
            received = b"".join(iter(lambda: s.recv(65536), b""))
            sender.join()
        self.assertEqual(received.count(b"HTTP/1.1 200 OK"), 1000)
        self.assertTrue(received.endswith(b"ok"))

    def test_an_endless_answer_ends_when_its_client_leaves(self):
        e = self.two("processes = 1")
        for path in ("/endless", "/drip"):
            with self.connect(e, b"GET %s HTTP/1.1\r\nHost: a.test\r\n\r\n" % path.encode()) as s:
                self.assertTrue(s.recv(1000).startswith(b"HTTP/1.1 200"))
            self.assertEqual(e.get("a", timeout=20).status, 200)
        eventually(lambda: "endless ended" in e.output(), what="the generator was closed")

    def test_slow_clients_hold_no_worker(self):
        e = self.two("processes = 1")
        starts = (b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: a.test\r\n",
                  b"POST /echo HTTP/1.1\r\nHost: a.test\r\nContent-Length: 99\r\n\r\n")
        slow = [self.connect(e, starts[n % 3]) for n in range(150)]
        with Load(e.port, ["a.test"], 2) as good:
            for _ in range(5):
                for s in slow:
                    s.send(b"X")
                time.sleep(0.1)
        for s in slow:
            s.close()
        self.assertEqual(good.bad(), {})
        self.assertGreater(good.seen[200], 50)


if __name__ == "__main__":
    unittest.main(verbosity=2)
