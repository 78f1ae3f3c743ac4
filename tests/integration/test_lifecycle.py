"""What an operator does with ini files, and what must come of it."""

import os
import signal
import subprocess
import threading
import time
import unittest

import harness
from harness import Case, eventually, request


class Drop(Case):
    def test_a_dropped_ini_is_served_by_name_within_300_ms(self):
        e = self.emperor()
        e.drop("warm")
        e.wait_up("warm")
        best = None
        for n in range(3):  # the best of three: the promise is about us, not about a busy machine
            started = time.monotonic()
            e.drop("app%d" % n)
            while True:
                if e.get("app%d" % n).status == 200:
                    break
                self.assertLess(time.monotonic() - started, 10 * harness.PATIENCE)
                time.sleep(0.005)
            took = time.monotonic() - started
            best = took if best is None else min(best, took)
        self.assertLess(best, 0.3 * harness.PATIENCE)

    def test_two_apps_share_a_port_and_an_unknown_name_is_404(self):
        e = self.emperor()
        e.drop("one", "named", "env = NAME=one")
        e.drop("two", "named", "env = NAME=two")
        self.assertEqual(e.wait_up("one").text, "one")
        self.assertEqual(e.wait_up("two").text, "two")
        self.assertEqual(e.get("nobody").status, 404)

    def test_a_deleted_ini_ends_the_app_and_leaves_no_process(self):
        e = self.emperor()
        path = e.drop("gone")
        e.wait_up("gone")
        path.unlink()
        eventually(lambda: e.get("gone").status == 404, what="404 after deletion")
        eventually(lambda: e.state("gone") is None, what="forgotten")

    def test_hidden_and_temporary_names_are_ignored(self):
        e = self.emperor()
        text = "[vassal]\ndomain = x.test\nchdir = %s\nmodule = hello\n" % harness.APPS
        for name in (".hidden.ini", "x.ini~", "x.ini.swp", "#x.ini#", "x.ini.tmp", "x.txt"):
            (e.vassals / name).write_text(text)
        e.drop("real")
        e.wait_up("real")
        self.assertEqual([a["name"] for a in e.ctl("status")["apps"]], ["real"])


class Change(Case):
    def generation(self, e, app):
        return e.state(app)["generation"]

    def test_touches_faster_than_the_import_do_not_keep_the_old_code_for_ever(self):
        e = self.emperor()
        e.drop("a", "slow_import", "env = SECONDS=0.6")
        e.wait_up("a")
        pid = e.state("a")["pid"]
        ending = threading.Event()

        def touch():
            while not ending.wait(0.2):
                os.utime(e.vassals / "a.ini")

        toucher = threading.Thread(target=touch)
        toucher.start()
        try:
            eventually(lambda: e.state("a")["pid"] != pid, 8, "a new generation serves, however often it is touched")
        finally:
            ending.set()
            toucher.join()
        # what came last counts: the last touch is followed by a start of its own
        eventually(lambda: e.state("a")["state"] == "running", 8, "it comes to rest")

    def changes(self, e, app, action):
        """Runs action and waits until a newer generation of app serves."""
        before = self.generation(e, app)
        action()
        eventually(lambda: self.generation(e, app) > before and e.state(app)["state"] == "running", 15,
                   "a newer generation of " + app)

    def test_touch_rewrite_and_older_mtime_are_all_noticed(self):
        e = self.emperor()
        path = e.drop("a", "named", "env = NAME=first")
        e.wait_up("a")
        self.changes(e, "a", lambda: os.utime(path))
        self.changes(e, "a", lambda: os.utime(path, (1000000000, 1000000000)))
        self.changes(e, "a", lambda: e.drop("a", "named", "env = NAME=second"))
        self.assertEqual(e.get("a").text, "second")

    def test_a_rewrite_within_the_same_second_and_with_the_same_mtime_is_noticed(self):
        e = self.emperor()
        path = e.drop("a", "named", "env = NAME=aaaaa")
        os.utime(path, (1700000000, 1700000000))
        e.wait_up("a")
        eventually(lambda: e.state("a")["state"] == "running")

        def rewrite():
            path.write_text(path.read_text().replace("aaaaa", "bbbbb"))
            os.utime(path, (1700000000, 1700000000))

        rewrite()
        eventually(lambda: e.get("a").text == "bbbbb", 15, "the new bytes serve")

    def test_a_symlink_switched_to_another_release_is_noticed(self):
        e = self.emperor()
        for release in ("r1", "r2"):
            (self.folder / release).mkdir()
            (self.folder / release / "app.ini").write_text(
                "[vassal]\ndomain = a.test\nchdir = %s\nmodule = named\nenv = NAME=%s\n" % (harness.APPS, release)
            )
        current = self.folder / "current"
        current.symlink_to("r1")
        (e.vassals / "a.ini").symlink_to(current / "app.ini")
        self.assertEqual(e.wait_up("a").text, "r1")
        fresh = self.folder / "fresh"
        fresh.symlink_to("r2")
        fresh.rename(current)
        # nothing in the watched folder changed: the slow rescan finds it
        eventually(lambda: e.get("a").text == "r2", 30, "the other release serves")

    def test_a_broken_ini_keeps_the_old_generation_and_says_why(self):
        e = self.emperor()
        e.drop("a", "named", "env = NAME=good")
        e.wait_up("a")
        e.drop("a", "named", "env = NAME=bad\nharakiri = 5x")
        eventually(lambda: "harakiri" in (e.state("a").get("last_error") or ""), what="the reason is shown")
        self.assertRegex(e.state("a")["last_error"], r'a\.ini:6: harakiri: "5x"')
        self.assertEqual(e.get("a").text, "good")
        e.drop("a", "named", "env = NAME=mended")
        eventually(lambda: e.get("a").text == "mended", what="the mended one serves")

    def test_code_that_does_not_import_keeps_the_old_generation_with_its_traceback(self):
        e = self.emperor()
        app = self.folder / "app"
        app.mkdir()
        os.chmod(app, 0o755)
        code = app / "code_under_test.py"
        code.write_text("def application(e, s):\n    s('200 OK', [])\n    return [b'good']\n")
        path = e.drop("a", "code_under_test", app=app)
        self.assertEqual(e.wait_up("a").text, "good")
        code.write_text("import no_such_module_at_all\n")
        os.utime(path)
        eventually(lambda: "no_such_module_at_all" in (e.state("a").get("last_error") or ""), 15, "traceback shown")
        self.assertIn("ModuleNotFoundError", e.state("a")["last_error"])
        for _ in range(20):
            self.assertEqual(e.get("a").text, "good")
        code.write_text("def application(e, s):\n    s('200 OK', [])\n    return [b'mended']\n")
        os.utime(path)
        eventually(lambda: e.get("a").text == "mended", 15, "the mended code serves")

    def test_a_new_app_that_fails_backs_off_visibly_and_an_edit_tries_at_once(self):
        e = self.emperor()
        e.drop("a", "no_such_module_at_all")
        row = e.wait_state("a", "backoff")
        self.assertIn("no_such_module_at_all", row["last_error"])
        answer = e.get("a")
        self.assertEqual(answer.status, 503)
        self.assertTrue(answer.headers["Retry-After"].isdigit())
        e.drop("a", "hello")
        e.wait_up("a")

    def test_a_generation_that_failed_is_in_the_history_by_its_own_number_with_its_traceback(self):
        e = self.emperor()
        e.drop("a")
        e.wait_up("a")
        e.drop("a", "no_such_module_at_all")

        def failed():
            return [ev for ev in e.ctl("events", "a")["events"] if ev["kind"] == "failed"]

        event = eventually(failed, 10, "the event")[0]
        self.assertEqual((event["generation"], e.state("a")["generation"]), (2, 1))
        self.assertIn("ModuleNotFoundError", event["text"].strip().splitlines()[-1])
        text = e.ctl_text("events").stdout
        self.assertRegex(text, r"a +2 +failed +.*ModuleNotFoundError: No module named 'no_such_module_at_all'\n")
        self.assertNotIn("Traceback", text)

    def test_two_apps_that_claim_one_name_the_second_is_refused(self):
        e = self.emperor()
        e.drop("first", "named", "env = NAME=first", domain="same.test")
        eventually(lambda: e.get("x", host="same.test").status == 200, 15)
        e.drop("second", "named", "env = NAME=second", domain="same.test")
        row = eventually(lambda: (lambda r: r if r and r.get("last_error") else None)(e.state("second")))
        self.assertIn("same.test", row["last_error"])
        self.assertIn("first", row["last_error"])
        for _ in range(10):
            self.assertEqual(e.get("x", host="same.test").text, "first")

    def test_ten_reloads_under_load_lose_no_request(self):
        e = self.emperor()
        path = e.drop("a", extra="processes = 2")
        e.wait_up("a")
        stop = threading.Event()
        failures, count = [], [0]

        def client():
            while not stop.is_set():
                try:
                    answer = e.get("a")
                    if answer.status != 200:
                        failures.append(answer.status)
                except Exception as problem:
                    failures.append(repr(problem))
                count[0] += 1

        threads = [threading.Thread(target=client) for _ in range(4)]
        for t in threads:
            t.start()
        try:
            for _ in range(10):
                self.changes(e, "a", lambda: os.utime(path))
        finally:
            stop.set()
            for t in threads:
                t.join()
        self.assertEqual(failures, [])
        self.assertGreater(count[0], 50)


class Ends(Case):
    def test_a_front_killed_hard_is_started_again(self):
        e = self.emperor()
        e.drop("a")
        e.wait_up("a")
        row = e.state("a")
        os.kill(row["pid"], signal.SIGKILL)
        eventually(lambda: e.state("a")["pid"] not in (0, row["pid"]), 15, "another front")
        e.wait_up("a")

    def end(self, e, sig):
        """Its front gets sig, and another one serves."""
        pid = e.wait_state("a", "running")["pid"]
        os.kill(pid, sig)
        eventually(lambda: (lambda s: s["state"] == "running" and s["pid"] != pid)(e.state("a")), 20, "another front")

    def ask_while(self, e, port, ends):
        """Statuses of new connections, at the shared port and at its own, until ends() has been and it serves again."""
        seen, over = {}, threading.Event()

        def ask(get):
            while not over.is_set():
                try:
                    status = get()
                except OSError as problem:  # in the hands of the one that died
                    status = type(problem).__name__
                seen[status] = seen.get(status, 0) + 1

        threads = [threading.Thread(target=ask, args=(get,)) for get in
                   (lambda: e.get("a", timeout=20).status, lambda: request(port, host="a.test", timeout=20).status)]
        for t in threads:
            t.start()
        eventually(lambda: seen.get(200, 0) > 20)
        ends()
        n = seen[200]
        eventually(lambda: seen[200] > n + 20, 20, "it serves again")
        over.set()
        for t in threads:
            t.join()
        return seen

    def test_a_front_that_dies_young_is_back_at_once_and_who_comes_waits(self):
        e = self.emperor()
        port = harness.free_port()
        e.drop("a", extra="http = 127.0.0.1:%d" % port)
        e.wait_up("a")
        for n in range(1, 4):  # at once, then after short waits: at the door, not with 503
            seen = self.ask_while(e, port, lambda: self.end(e, signal.SIGKILL))
            self.assertNotIn(503, seen)
            self.assertEqual(e.state("a")["restarts"], n)
        self.assertEqual(len([x for x in e.ctl("events", "a")["events"] if x["kind"] == "failed"]), 3)

    def test_a_front_that_is_told_to_end_ends_in_order_and_another_one_follows_at_once(self):
        e = self.emperor()
        port = harness.free_port()
        e.drop("a", extra="http = 127.0.0.1:%d" % port)
        e.wait_up("a")
        for n in range(1, 4):
            seen = self.ask_while(e, port, lambda: self.end(e, signal.SIGTERM))
            self.assertEqual(set(seen), {200}, "nobody notices")
            row = e.state("a")
            self.assertEqual((row["restarts"], row["failures"], row["last_error"]), (n, 0, ""))
        events = e.ctl("events", "a")["events"]
        self.assertEqual([x for x in events if x["kind"] in ("failed", "backoff")], [])
        self.assertEqual(len([x for x in events if "told to end by a signal" in x["text"]]), 3)

    def test_while_a_mold_waits_for_its_next_try_status_says_why(self):
        e = self.emperor()
        e.drop("a", extra="processes = 1")
        e.wait_up("a")

        def mold():
            return next((p for p in harness.descendants(e.process.pid) if harness.title(p) == "a mold"), None)

        for _ in range(3):  # again at once, after half a second, after one
            old = eventually(mold, 10, "a mold")
            os.kill(old, signal.SIGKILL)
            eventually(lambda: mold() != old)
        reason = eventually(lambda: (lambda t: t if "mold" in t else None)(e.ctl_text("status").stdout))
        self.assertRegex(reason, r"the mold died \(killed by signal 9 \(Killed\)\): another (in [12] s at most|starts)")
        eventually(lambda: "mold" not in e.ctl_text("status").stdout, 10, "the next one is there")

    def test_a_front_that_loses_its_emperor_keeps_serving(self):
        e = self.emperor()
        port = harness.free_port()
        e.drop("a", extra="http = 127.0.0.1:%d" % port)
        e.wait_up("a")
        e.process.kill()
        e.process.wait()
        try:
            for _ in range(5):
                self.assertEqual(request(port, host="a.test").status, 200)
                self.assertEqual(e.get("a").status, 200)
        finally:
            e.end_strays()

    def test_term_finishes_the_request_in_work(self):
        e = self.emperor()
        e.drop("a", "slow")
        e.wait_up("a")
        got = []
        t = threading.Thread(target=lambda: got.append(e.get("a", "/?1.5").status))
        t.start()
        eventually(lambda: e.state("a").get("busy", 1))
        time.sleep(0.3)
        e.process.terminate()
        t.join()
        self.assertEqual(got, [200])
        e.process.wait(15 * harness.PATIENCE)
        self.assertEqual(e.process.returncode, 0)

    def test_a_second_emperor_in_the_same_run_directory_is_refused(self):
        e = self.emperor()
        done = subprocess.run(
            [str(harness.BIN / "emperor"), "--vassals", str(e.vassals), "--run-dir", str(e.run_dir), "--db", str(e.db)],
            capture_output=True, text=True, timeout=20)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("running", done.stderr)

    def test_stop_and_start_by_command(self):
        e = self.emperor()
        e.drop("a")
        e.wait_up("a")
        e.ctl("stop", "a")
        self.assertEqual(e.state("a")["state"], "stopped")
        self.assertEqual(e.get("a").status, 503)
        e.ctl("start", "a")
        self.assertEqual(e.get("a").status, 200)

    def test_reload_of_a_broken_app_exits_1_with_the_reason(self):
        e = self.emperor()
        app = self.folder / "app"
        app.mkdir()
        os.chmod(app, 0o755)
        code = app / "code_under_test.py"
        code.write_text("def application(e, s):\n    s('200 OK', [])\n    return [b'good']\n")
        e.drop("a", "code_under_test", app=app)
        e.wait_up("a")
        code.write_text("syntax error here\n")
        done = e.ctl_text("reload", "a")
        self.assertEqual(done.returncode, 1)
        self.assertIn("SyntaxError", done.stdout + done.stderr)
        self.assertEqual(e.get("a").text, "good")

    def test_no_emperor_is_exit_2_with_a_clear_message(self):
        done = subprocess.run([str(harness.BIN / "emperorctl"), "--run-dir", str(self.folder / "none"), "status"],
                              capture_output=True, text=True, timeout=20)
        self.assertEqual(done.returncode, 2)
        self.assertIn("none", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
