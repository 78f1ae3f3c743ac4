"""Apps without processes: when they go to sleep, what wakes them, and that no request is lost between the two."""

import contextlib
import http.client
import os
import random
import signal
import socket
import threading
import time

import harness
from harness import Case, eventually, free_port, request, title


def processes(e, app):
    """Front, mold and workers of an app."""
    return [pid for pid in e.strays() if title(pid).startswith(("vassal: " + app, app + " "))]


def events(e, app):
    return [row["kind"] for row in e.ctl("events", app)]


class Sleep(Case):
    def asleep(self, e, app, seconds=15):
        row = e.wait_state(app, "sleeping", seconds)
        eventually(lambda: not processes(e, app), what="no process of " + app)
        return row

    def test_an_idle_app_goes_away_and_the_next_request_at_either_door_wakes_it(self):
        e = self.emperor()
        port = free_port()
        e.drop("a", "named", "env = NAME=a\nsleep-after = 1\nhttp = 127.0.0.1:%d" % port)
        e.wait_up("a")
        row = self.asleep(e, "a")
        self.assertIn("no request for", row["reason"])
        self.assertEqual(row["pid"] or 0, 0)
        self.assertEqual(e.get("a").text, "a")
        self.assertEqual(e.state("a")["state"], "running")
        self.asleep(e, "a")
        self.assertEqual(request(port).text, "a")
        log = e.output()
        self.assertIn("woken by a connection from a shared port", log)
        self.assertIn("woken by a connection at 127.0.0.1:%d" % port, log)
        self.assertRegex(log, r"woken: serves after \d+ ms")

    def test_a_new_sleep_after_counts_in_the_process_that_runs(self):
        e = self.emperor()
        e.drop("a", "named", "env = NAME=a\nsleep-after = 1000")
        e.wait_up("a")
        pid = e.state("a")["pid"]
        e.drop("a", "named", "env = NAME=a\nsleep-after = 600")
        eventually(lambda: "limits changed: sleep-after: 1000 -> 600" in e.output(), what="the change in place")
        self.assertEqual(e.state("a")["pid"], pid)
        e.drop("a", "named", "env = NAME=a\nsleep-after = 1")
        self.asleep(e, "a")
        self.assertIn("generation 1: limits changed: sleep-after: 600 -> 1", e.output())
        self.assertEqual(e.get("a").text, "a")

    def test_die_on_idle_of_uwsgi_is_sleep_after_the_idle_time(self):
        e = self.emperor()
        e.drop("a", "named", "env = NAME=a\nidle = 1000\ndie-on-idle = true")
        e.wait_up("a")
        # a limit that changes in place, and what follows from it with it
        e.drop("a", "named", "env = NAME=a\nidle = 1\ndie-on-idle = true")
        self.asleep(e, "a")
        self.assertIn("limits changed: idle: 1000 -> 1", e.output())
        self.assertEqual(e.get("a").text, "a")

    def test_an_app_on_demand_costs_nothing_until_its_first_connection(self):
        e = self.emperor()
        port = free_port()
        e.drop("a", "named", "env = NAME=a\non-demand = true\nhttp = 127.0.0.1:%d" % port)
        row = self.asleep(e, "a")
        self.assertIn("first connection", row["reason"])
        self.assertEqual(request(port).text, "a")
        e.wait_state("a", "running")
        # by command, too
        self.assertEqual(e.ctl_text("stop", "a").returncode, 0)
        self.assertEqual(e.get("a").status, 503)
        self.assertEqual(e.ctl_text("start", "a").returncode, 0)
        self.assertEqual(e.state("a")["state"], "running")

    def test_requests_at_random_moments_of_falling_asleep_are_all_answered(self):
        e = self.emperor()
        port = free_port()
        e.drop("a", "named", "env = NAME=a\nsleep-after = 1\nhttp = 127.0.0.1:%d" % port)
        e.wait_up("a")
        chance = random.Random(7)
        failures, stop = [], time.monotonic() + 5

        def visit(own, gap):
            # around the moment itself: the app sleeps a second after the last of these
            while time.monotonic() < stop:
                time.sleep(gap())
                try:
                    answer = request(port) if own else e.get("a")
                    if answer.status != 200:
                        failures.append(answer.status)
                except (OSError, http.client.HTTPException) as problem:
                    failures.append(repr(problem))

        visitors = [threading.Thread(target=visit, args=(own, lambda: chance.uniform(1.0, 1.06)))
                    for own in (False, True)]
        for v in visitors:
            v.start()
        for v in visitors:
            v.join()
        self.assertEqual(failures, [])
        self.assertGreaterEqual(e.output().count("asleep: no request"), 2)

    def test_idle_kept_connections_survive_the_sleep_of_their_app(self):
        e = self.emperor()
        e.drop("a", "named", "env = NAME=a\nsleep-after = 1")
        e.wait_up("a")
        kept = http.client.HTTPConnection("127.0.0.1", e.port, timeout=10 * harness.PATIENCE)
        self.addCleanup(kept.close)
        kept.request("GET", "/", headers={"Host": "a.test"})
        self.assertEqual(kept.getresponse().read(), b"a")
        here = kept.sock.getsockname()
        self.asleep(e, "a")
        kept.request("GET", "/", headers={"Host": "a.test"})
        self.assertEqual(kept.getresponse().read(), b"a")
        self.assertEqual(kept.sock.getsockname(), here)

    def test_a_request_in_hand_or_an_idle_connection_of_an_own_address_keeps_it_awake(self):
        e = self.emperor()
        port = free_port()
        e.drop("a", "slow", "sleep-after = 1\nkeepalive = 3\nhttp = 127.0.0.1:%d" % port)
        e.wait_up("a")
        self.assertEqual(e.get("a", "/?1.5").status, 200)
        self.assertEqual(e.output().count("asleep:"), 0)
        kept = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self.addCleanup(kept.close)
        kept.request("GET", "/")
        kept.getresponse().read()
        time.sleep(1.5)  # longer than sleep-after
        self.assertEqual(e.state("a")["state"], "running")
        kept.request("GET", "/")
        self.assertEqual(kept.getresponse().status, 200)

    def test_what_happens_to_the_ini_of_an_app_that_sleeps(self):
        e = self.emperor()
        port, moved = free_port(), free_port()
        text = "env = NAME=%s\non-demand = true\nhttp = 127.0.0.1:%d"
        e.drop("a", "named", text % ("one", port))
        e.drop("b", "named", "env = NAME=b")
        self.asleep(e, "a")
        # new bytes: names and doors follow, nothing starts
        e.drop("a", "named", text % ("two", moved), domain="other.test")
        eventually(lambda: "stays asleep" in e.state("a")["reason"], what="it says so")
        self.assertEqual(e.get("a").status, 404)
        with self.assertRaises(OSError):
            request(port)
        self.assertEqual(processes(e, "a"), [])
        self.assertEqual(e.get("a", host="other.test").text, "two")
        self.assertEqual(e.ctl_text("stop", "a").returncode, 0)
        self.assertEqual(e.ctl_text("start", "a").returncode, 0)
        # a broken edit is shown, and the old bytes stay in force
        e.drop("a", "named", "env = NAME=two\nsleep-after = 1\nhttp = 127.0.0.1:%d" % moved, domain="other.test")
        e.wait_state("a", "running")
        self.asleep(e, "a")
        e.drop("a", "named", "harakiri = 5x", domain="other.test")
        eventually(lambda: "harakiri" in (e.state("a")["last_error"] or ""), what="the mistake is shown")
        self.assertEqual(e.state("a")["state"], "sleeping")
        self.assertEqual(e.get("a", host="other.test").text, "two")
        # one that must not sleep starts
        e.drop("a", "named", "env = NAME=three\nsleep-after = 1", domain="other.test")
        eventually(lambda: e.get("a", host="other.test").text == "three", what="the mended one serves")
        self.asleep(e, "a")
        self.assertEqual(e.ctl_text("reload", "a").returncode, 0)
        self.assertEqual(e.state("a")["state"], "sleeping")
        e.drop("a", "named", "env = NAME=four", domain="other.test")
        e.wait_state("a", "running")
        self.assertEqual(e.get("a", host="other.test").text, "four")

    def test_an_edit_that_is_taken_after_a_sleep_can_be_rolled_back(self):
        e = self.emperor()
        e.drop("a", "named", "env = NAME=a\nsleep-after = 3")
        e.wait_up("a")
        self.asleep(e, "a")
        e.drop("a", "named", "env = NAME=b\nsleep-after = 3")
        # the first may wake it before its emperor has seen the edit
        eventually(lambda: e.get("a").text == "b", what="the edit is served")
        e.ctl("rollback", "a")
        self.assertEqual(e.get("a").text, "a")

    def test_a_deleted_ini_ends_the_sleep_and_its_doors(self):
        e = self.emperor()
        port = free_port()
        path = e.drop("a", "named", "env = NAME=a\non-demand = true\nhttp = 127.0.0.1:%d" % port)
        self.asleep(e, "a")
        path.unlink()
        eventually(lambda: e.state("a") is None, what="forgotten")
        self.assertEqual(e.get("a").status, 404)
        with self.assertRaises(OSError):
            request(port)

    def test_an_app_that_does_not_start_when_woken_hoards_no_connections(self):
        e = self.emperor()
        port = free_port()
        e.drop("a", "no_such_module_at_all", "on-demand = true\nhttp = 127.0.0.1:%d" % port)
        self.asleep(e, "a")
        for answer in (request(port), e.get("a")):
            self.assertEqual(answer.status, 503)
            self.assertTrue(answer.headers["Retry-After"].isdigit())
        self.assertIn("no_such_module_at_all", e.state("a")["last_error"])
        e.drop("a", "named", "env = NAME=a\non-demand = true\nhttp = 127.0.0.1:%d" % port)
        eventually(lambda: request(port).status == 200, what="the mended one serves")

    def test_the_gate_killed_while_an_app_sleeps_loses_nothing_that_waits(self):
        e = self.emperor()
        e.drop("a", "named", "env = NAME=a\non-demand = true")
        self.asleep(e, "a")
        gate = [pid for pid in e.strays() if title(pid) == "emperor: gate"]
        self.assertEqual(len(gate), 1)
        os.kill(gate[0], signal.SIGKILL)
        self.assertEqual(e.wait_up("a").text, "a")

    def test_who_comes_while_the_emperor_is_dead_and_the_app_asleep_is_served_by_the_next_one(self):
        e = self.emperor()
        port = free_port()
        e.drop("a", "named", "env = NAME=a\non-demand = true\nhttp = 127.0.0.1:%d" % port)
        self.asleep(e, "a")
        os.kill(e.process.pid, signal.SIGKILL)
        e.process.wait()
        answers = []
        visitors = [threading.Thread(target=lambda: answers.append(request(port).text)),
                    threading.Thread(target=lambda: answers.append(e.get("a").text))]
        for v in visitors:
            v.start()
        fresh = harness.Emperor.__new__(harness.Emperor)
        fresh.folder, fresh.vassals, fresh.run_dir, fresh.db, fresh.port = e.folder, e.vassals, e.run_dir, e.db, e.port
        harness.Daemon.__init__(fresh, e.folder, "successor", [
            harness.BIN / "emperor", "--vassals", e.vassals, "--run-dir", e.run_dir, "--db", e.db,
            "--http", "127.0.0.1:%d" % e.port])
        self.daemon(fresh)
        for v in visitors:
            v.join()
        self.assertEqual(answers, ["a", "a"])


class Machine(Case):
    def test_beyond_max_workers_an_app_is_given_fewer_until_others_leave(self):
        e = self.emperor("--max-workers", "3")
        path = e.drop("a", extra="processes = 2")
        e.wait_up("a")
        e.drop("b", extra="processes = 3")
        e.wait_up("b")
        row = eventually(lambda: (lambda r: r if "max-workers" in r["reason"] else None)(e.state("b")), what="it says so")
        self.assertIn("max-workers = 3: it has 1 of 3 processes, other apps have 2", row["reason"])
        workers = lambda: len([pid for pid in e.strays() if title(pid).startswith("b worker")])
        self.assertEqual(workers(), 1)
        refused = e.ctl_text("scale", "b", "2")
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("max-workers", refused.stdout + refused.stderr)
        path.unlink()
        eventually(lambda: workers() == 3, what="b has its processes")
        eventually(lambda: e.state("b")["reason"] == "", what="nothing is left to explain")

    def test_over_the_memory_budget_fat_idle_workers_are_replaced_and_idle_apps_sleep(self):
        (self.folder / "hog.py").write_text(
            "kept = []\n"
            "def application(e, s):\n"
            "    kept.append(b'x' * int(e['QUERY_STRING'] or 0))\n"
            "    s('200 OK', [])\n"
            "    return [str(__import__('os').getpid()).encode()]\n")
        e = self.emperor("--memory-budget", "2M")  # less than they can ever be
        e.drop("rests", extra="sleep-after = 1000")
        e.drop("hog", "hog", app=self.folder)
        e.drop("awake")
        for app in ("rests", "awake", "hog"):
            e.wait_up(app)
        before = e.get("hog", "/?100000000").text
        eventually(lambda: "hog: memory-budget = 2 MiB, " in e.output(), 20, "its worker is to go")
        eventually(lambda: e.get("hog").text != before, 10, "another worker answers")
        eventually(lambda: "M, memory-budget of the machine)" in e.output(), what="the front says why")
        row = e.wait_state("rests", "sleeping", 20)
        self.assertIn("no request for", row["reason"])
        self.assertRegex(e.output(), r"rests: memory-budget = 2 MiB, \d+ MiB are held: it is let sleep, idle for \d+ s")
        self.assertEqual([e.state(app)["state"] for app in ("hog", "awake")], ["running"] * 2)
        self.assertEqual(e.get("rests").status, 200)

    def test_an_app_that_naps_shows_and_counts_its_mold_and_its_front(self):
        (self.folder / "big.py").write_text(
            "cache = bytearray(b'x' * (80 << 20))\n"
            "def application(e, s):\n"
            "    s('200 OK', [])\n"
            "    return [b'ok']\n")
        e = self.emperor("--memory-budget", "60M")
        e.drop("big", "big", app=self.folder, extra="cheap = true\nidle = 1")
        e.wait_state("big", "running")
        eventually(lambda: "are held: no app may sleep and no idle worker can be replaced" in e.output(), 20,
                   "what naps counts, though it never had a worker")
        self.assertEqual(e.get("big").text, "ok")
        eventually(lambda: "Z nap: no request for 1 s" in e.output(), 20, "it naps")
        # what it shared with them is its own by then, and is measured again
        row = eventually(lambda: (lambda r: r if r["workers_rss"] == 0 and r["mold_pss"] > 80 << 20 else None)(e.state("big")), 10,
                         "its workers went")
        self.assertGreater(row["front_pss"], 100 << 10)
        self.assertEqual(row["memory"], row["mold_pss"] + row["front_pss"])
        self.assertEqual(row["pss"], row["memory"])
        eventually(lambda: len({(row["memory"], row["mold_pss"]) for row in (e.ctl("stats", "big"), e.state("big"))}) == 1, 10,
                   "both say the same")
        self.assertRegex(e.ctl_text("status", "big").stdout, r"memory +\d+M: front [\d.]+[KM], mold \d+M, workers 0")


if __name__ == "__main__":
    harness.main()
