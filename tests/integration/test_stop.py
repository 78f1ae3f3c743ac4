"""An ordinary stop and start: what was decided about an app stays decided, and its generations count on."""

import os
import signal
import socket
import threading
import unittest

from harness import APPS, PATIENCE, Case, eventually, free_port
from succession import Succession

GOOD = "def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'%s']\n"


class WhileItStops(Case):
    """An emperor that stops finishes what it has; who comes meanwhile is told at once, by a refusal or an answer."""

    def test_who_comes_while_requests_are_finished_does_not_wait_for_nobody(self):
        e = self.emperor()
        own, path = free_port(), self.folder / "socks" / "own.sock"
        path.parent.mkdir()
        path.parent.chmod(0o777)  # whoever the app runs as
        go = self.folder / "go"
        self.addCleanup(go.touch)
        e.drop("app", module="shapes", app=APPS, extra="http-socket = 127.0.0.1:%d\nhttp-socket = %s\nreload-mercy = 60\nprocesses = 2" % (own, path))
        e.wait_up("app", "/plain")
        held = []
        holder = threading.Thread(target=lambda: held.append(e.get("app", "/hold?%s" % go, timeout=60).status))
        holder.start()
        eventually(lambda: "holding" in e.output(), 10, "a request in work")
        e.process.send_signal(signal.SIGTERM)
        eventually(lambda: "stopping" in e.output(), 10, "it stops")
        doors = [lambda: socket.create_connection(("127.0.0.1", e.port), 5), lambda: socket.create_connection(("127.0.0.1", own), 5),
                 lambda: self.connect_unix(path)]
        for n, connect in enumerate(doors):
            eventually(lambda: self.is_refused(connect), 5, "door %d is shut" % n)
        self.assertEqual(held, [], "the request is still in work")
        go.touch()
        holder.join()
        self.assertEqual(held, [200])
        self.assertEqual(e.process.wait(20 * PATIENCE), 0)

    def connect_unix(self, path):
        s = socket.socket(socket.AF_UNIX)
        try:
            s.settimeout(5)
            s.connect(str(path))
        except OSError:
            s.close()
            raise
        return s

    def is_refused(self, connect):
        """Whoever gets in gets an answer: nobody is left without a word."""
        try:
            s = connect()
        except (ConnectionRefusedError, FileNotFoundError):
            return True
        with s:
            try:
                s.sendall(b"GET /plain HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n")
                self.assertRegex(s.recv(4096), rb"^HTTP/1.1 (200|503) ")
            except ConnectionError:
                pass  # it was in the backlog in the moment in which the door was shut
        return False


class Stop(Succession):
    def setUp(self):
        super().setUp()
        for name in ("r1", "r2", "r3"):
            (self.folder / name).mkdir()
            (self.folder / name / "site_app.py").write_text(GOOD % name)
        self.current = self.folder / "current"
        self.current.symlink_to(self.folder / "r1")

    def switch(self, release):
        (self.folder / "next").symlink_to(self.folder / release)
        (self.folder / "next").rename(self.current)

    def deploy(self, e, release, app="one"):
        self.switch(release)
        e.ctl("reload", app)
        eventually(lambda: e.get(app).text == release)

    def serve(self):
        e = self.emperor()
        e.drop("one", "site_app", app=self.current)
        e.wait_up("one")
        return e

    def rolled_back(self):
        e = self.serve()
        self.deploy(e, "r2")
        e.ctl("rollback", "one")
        eventually(lambda: e.get("one").text == "r1")
        return e

    def again(self, e):
        """Stopped as a service manager does it, and started."""
        e.stop()
        f = self.successor(e)
        f.wait_up("one")
        return f

    def test_what_was_rolled_back_from_is_not_started_by_a_stop_and_a_start(self):
        e = self.rolled_back()
        for _ in range(2):
            e = self.again(e)
            now = e.wait_state("one", "running")
            self.assertEqual(e.get("one").text, "r1")
            self.assertIn("rolled back by command to what generation 1 ran", now["reason"])
        self.assertEqual(now["generation"], 5)
        self.assertIn("already", e.ctl_text("rollback", "one").stderr)
        # a reload takes the ini as it is, and that is no bad one any more
        e.ctl("reload", "one")
        self.assertEqual(e.get("one").text, "r2")
        e = self.again(e)
        self.assertEqual((e.get("one").text, e.state("one")["reason"]), ("r2", ""))

    def test_another_release_or_another_ini_than_the_bad_one_is_tried(self):
        e = self.rolled_back()
        e.stop()
        self.switch("r3")
        f = self.successor(e)
        f.wait_up("one")
        self.assertEqual((f.get("one").text, f.wait_state("one", "running")["reason"]), ("r3", ""))
        self.assertIn("something else than what was rolled back from", f.output())
        self.deploy(f, "r2")
        f.ctl("rollback", "one")
        eventually(lambda: f.get("one").text == "r3")
        f.stop()
        f.drop("one", "site_app", "env = X=1", app=self.current)
        g = self.successor(f)
        g.wait_up("one")
        self.assertEqual((g.get("one").text, g.wait_state("one", "running")["reason"]), ("r2", ""))

    def test_status_and_history_name_the_release_that_runs_and_the_one_that_is_held(self):
        e = self.rolled_back()
        r1, r2 = (str((self.folder / r).resolve()) for r in ("r1", "r2"))
        for _ in range(2):
            now = e.ctl("status", "one")["apps"][0]
            self.assertEqual((now["release"], now["held"], now["held_release"], now["held_generation"]), (r1, True, r2, 2))
            text = e.ctl_text("status", "one").stdout
            self.assertRegex(text, r"release +%s since 20" % r1)
            self.assertRegex(text, r"held +rolled back from %s \(generation 2\)" % r2)
            e = self.again(e)
        e.ctl("reload", "one")
        now = e.ctl("status", "one")["apps"][0]
        self.assertEqual((now["release"], now["held"]), (r2, False))

        def history():
            return [row["release"] for row in e.ctl("ini", "one", "--history")["inis"]]

        eventually(lambda: history() == [r2, r1, r2, r1], 10, "what ran when")

    def test_a_cut_by_max_workers_makes_no_bad_release_a_good_one(self):
        e = self.emperor("--max-workers", "1")
        e.drop("one", "site_app", "processes = 3", app=self.current)
        e.wait_up("one")
        self.deploy(e, "r2")
        e.ctl("rollback", "one")
        eventually(lambda: e.get("one").text == "r1")
        e.stop()
        f = self.successor(e, "--max-workers", "1")
        f.wait_up("one")
        self.assertEqual(f.get("one").text, "r1")

    def test_there_is_a_way_back_after_a_start_too(self):
        e = self.serve()
        self.deploy(e, "r2")
        f = self.again(e)
        self.assertEqual(f.get("one").text, "r2")
        f.ctl("rollback", "one")
        eventually(lambda: f.get("one").text == "r1")
        # deployed while there was no emperor: what ran before is what to come back to
        f.ctl("reload", "one")
        self.assertEqual(f.get("one").text, "r2")
        f.stop()
        self.switch("r3")
        g = self.successor(f)
        g.wait_up("one")
        self.assertEqual(g.get("one").text, "r3")
        g.ctl("rollback", "one")
        eventually(lambda: g.get("one").text == "r2")

    def test_generations_count_on_and_history_tells_them_apart(self):
        e = self.serve()
        e.drop("lazy", "site_app", "on-demand = true", app=self.current)
        e.wait_up("lazy")
        e.ctl("reload", "one")
        f = self.again(e)
        self.assertEqual(f.state("one")["generation"], 3)
        self.assertEqual(f.wait_state("lazy", "sleeping")["generation"], 1)
        f.wait_up("lazy")
        self.assertEqual(f.state("lazy")["generation"], 2)
        f.ctl("reload", "one")

        def starts():
            found = [ev for ev in f.ctl("events", "one")["events"] if ev["kind"] in ("started", "reloaded")]
            return sorted(ev["generation"] for ev in found) == [1, 2, 3, 4]

        eventually(starts, 10, "each generation once in the history")

    def test_a_broken_edit_made_meanwhile_is_an_error_and_no_old_version_hides_it(self):
        e = self.serve()
        e.stop()
        e.drop("one", "nosuchmodule", app=self.current)
        f = self.successor(e)
        self.assertIn("nosuchmodule", f.wait_state("one", "backoff")["last_error"])
        self.assertEqual(f.get("one").status, 503)

    def test_what_nobody_can_read_is_said_and_the_app_starts_as_any_other(self):
        e = self.rolled_back()
        e.stop()
        path = e.run_dir / "state" / "one.state"
        path.write_bytes(path.read_bytes().replace(b"rolled 1", b"rolled 0"))
        f = self.successor(e)
        f.wait_up("one")
        self.assertIn("one: not taken over: state/one.state: torn", f.output())
        self.assertEqual((f.get("one").text, f.state("one")["generation"]), ("r2", 1))

    def test_what_is_deleted_meanwhile_is_forgotten(self):
        e = self.rolled_back()
        e.stop()
        (e.vassals / "one.ini").unlink()
        f = self.successor(e)
        eventually(lambda: not os.listdir(f.run_dir / "state"), 10, "no trace of it")
        self.assertIsNone(f.state("one"))
        # not even a second stop brings it back
        f.stop()
        self.assertEqual(os.listdir(f.run_dir / "state"), [])

    def test_a_second_signal_loses_no_decision(self):
        e = self.rolled_back()
        e.drop("slow", "slow")
        e.wait_up("slow")
        slow = self.slow_request(e.port, "slow.test", "/?20")
        eventually(lambda: e.state("slow")["busy"] == 1, 10, "it is in hand")
        e.process.terminate()
        eventually(lambda: "the emperor stops" in e.output(), 10, "the stop")
        e.stop()
        slow.join()
        f = self.successor(e)
        f.wait_up("one")
        self.assertEqual(f.get("one").text, "r1")


if __name__ == "__main__":
    unittest.main()
