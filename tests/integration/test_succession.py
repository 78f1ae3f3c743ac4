"""What a successor knows: the bytes and the release that each app runs, its probation, and formats of other builds."""

import os
import re
import shutil
import signal
import unittest

from harness import BIN, eventually, free_port, process_tree, request, title
from succession import Load, Succession

GOOD = "def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'%s']\n"
BAD = "def application(environ, start_response):\n    if environ['PATH_INFO'] != '/ok':\n        1 / 0\n" \
      "    start_response('200 OK', [])\n    return [b'%s']\n"


def digest(data):
    """FNV-1a, 64 bits, as fingerprint_digest()."""
    h = 0xCBF29CE484222325
    for byte in data:
        h = ((h ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return h


class State(Succession):
    def restate(self, e, app, edit):
        """Rewrites what is written down of an app, as whole as it was."""
        path = e.run_dir / "state" / (app + ".state")
        data = path.read_bytes()
        head, _, _ = data.rpartition(b"\nend ")
        fresh = edit(head)
        self.assertNotEqual(fresh, head)
        path.write_bytes(fresh + b"\nend %016x\n" % digest(fresh))

    def saved(self, e, app):
        return (e.run_dir / "state" / (app + ".state")).read_bytes()


class Boots(State):
    def test_after_the_machine_went_down_runs_what_ran_and_rests_what_was_stopped(self):
        e = self.emperor()
        for app in ("runs", "stopped", "deleted", "waits"):
            e.drop(app, module="nowhere" if app == "waits" else "hello")
        for app in ("runs", "stopped", "deleted"):
            e.wait_up(app)
        e.wait_state("waits", "backoff")
        e.drop("sleeps", extra="on-demand = true")
        e.wait_state("sleeps", "sleeping")
        e.ctl("stop", "stopped")
        # all at once, with no word to anybody
        pids = [e.process.pid, *e.strays()]
        for sig in (signal.SIGSTOP, signal.SIGKILL):
            for pid in pids:
                os.kill(pid, sig)
        e.process.wait()
        (e.vassals / "deleted.ini").unlink()
        e.drop("waits")
        for app in ("runs", "stopped", "deleted", "waits", "sleeps"):
            self.restate(e, app, lambda b: re.sub(rb"\nboot [^\n]*\n", b"\nboot another\n", b))
        f = self.successor(e)
        f.wait_up("runs")
        f.wait_up("waits")
        f.wait_up("sleeps")
        self.assertEqual((f.state("stopped")["state"], f.state("stopped")["reason"]), ("stopped", "stopped by command"))
        eventually(lambda: f.state("deleted") is None, 5, "it is forgotten")


class Inis(State):
    def test_an_ini_that_cannot_be_read_any_more_ends_nothing_that_serves(self):
        own = free_port()
        part = self.folder / "part.ini"
        gone = self.folder / "gone.ini"
        for path in (part, gone):
            path.write_text("[vassal]\nharakiri = 1234\n")
        e = self.emperor()
        e.drop("a", extra="disable-logging = true\nhttp-socket = 127.0.0.1:%d\ninclude = %s" % (own, part))
        e.drop("b", extra="disable-logging = true\ninclude = %s" % gone)
        for name in "ab":
            e.wait_up(name)
        before = {name: e.state(name) for name in "ab"}
        loads = [Load(e.port, "a.test"), Load(own, "a.test"), Load(e.port, "b.test")]
        for load in loads:
            load.more()
        self.kill(e)
        part.write_text("[vassal]\nharakiri = soon\n")
        gone.unlink()
        f = self.successor(e)
        for load in loads:
            load.more()
        for name, word in (("a", "harakiri"), ("b", "gone.ini")):
            now = f.state(name)
            self.assertEqual((now["pid"], now["generation"], now["state"]), (before[name]["pid"], 1, "running"))
            self.assertIn(word, now["last_error"])
            self.assertIn("keeps serving", now["reason"])
            self.assertIn(word, f.output())
            # a reload is refused as it would have been before, and harms nothing
            self.assertIn(word, f.ctl_text("reload", name).stderr)
            self.assertEqual(f.state(name)["pid"], before[name]["pid"])
        part.write_text("[vassal]\nharakiri = 30\n")
        f.ctl("reload", "a")
        now = f.state("a")
        self.assertEqual((now["state"], now["reason"], now["last_error"]), ("running", "", ""))
        for load in loads:
            load.more()
            self.assertEqual(load.end(), [])

    def test_an_option_that_this_build_refuses_ends_nothing_that_serves(self):
        e = self.emperor()
        (self.folder / "part.ini").write_text("[vassal]\nharakiri = 1234\n")
        e.drop("a", extra="include = %s" % (self.folder / "part.ini"))
        e.wait_up("a")
        before = e.state("a")
        self.kill(e)
        (self.folder / "part.ini").write_text("[vassal]\nharakiri = soon\n")
        # there, and not where the same digits are part of a time or of an inode
        self.restate(e, "a", lambda b: b.replace(b"harakiri1234", b"harakirisoon"))
        f = self.successor(e)
        self.assertEqual(f.state("a")["pid"], before["pid"])
        self.assertEqual(f.get("a").status, 200)
        self.assertIn("harakiri", f.state("a")["last_error"])


class Meanwhile(State):
    """What an app was when the emperor was killed, and what became of its ini until the next one came."""

    FATES = ("gone", "edited", "touched", "same")

    def daemon_pid(self, name):
        """Of the newest start of its daemon."""
        path = self.folder / "out" / name
        return int(path.read_text().split()[-1]) if path.exists() and path.read_text().strip() else 0

    def drop(self, e, name, module="hello", extra=""):
        kind = name.partition("-")[0]
        more = {
            "asleep": "on-demand = true\nhttp-socket = 127.0.0.1:%d\n" % self.ports.setdefault(name, free_port()),
            "tasks": "reload-mercy = 1\nattach-daemon = echo $$ >>%s/%s; exec sleep 1000\n" % (self.folder / "out", name),
        }.get(kind, "")
        e.drop(name, module=module, extra=more + extra)

    def prepare(self, e):
        """Four apps of each kind."""
        for fate in self.FATES:
            for kind in ("asleep", "stopped", "backoff", "running", "tasks"):
                self.drop(e, "%s-%s" % (kind, fate), "nosuchmodule" if kind == "backoff" else "hello")
        for fate in self.FATES:
            for kind, state in (("asleep", "sleeping"), ("backoff", "backoff"), ("running", "running"), ("tasks", "running")):
                e.wait_state("%s-%s" % (kind, fate), state, 30)
            e.wait_state("stopped-" + fate, "running")
            e.ctl("stop", "stopped-" + fate)
            eventually(lambda: self.daemon_pid("tasks-" + fate), 10, "the daemon")

    def test_each_ini_counts_as_it_is_whatever_its_app_was(self):
        self.ports = {}
        (self.folder / "out").mkdir()
        os.chmod(self.folder / "out", 0o777)
        e = self.emperor()
        self.prepare(e)
        before = {row["name"]: row for row in e.ctl("status")["apps"]}
        daemons = {fate: self.daemon_pid("tasks-" + fate) for fate in self.FATES}
        fronts = {name: row["pid"] for name, row in before.items() if row["state"] == "running"}
        self.kill(e)
        for name in before:
            if name.endswith("-gone"):
                (e.vassals / (name + ".ini")).unlink()
            elif name.endswith("-edited"):
                self.drop(e, name, "named", "env = NAME=edited\n")
            elif name.endswith("-touched"):
                (e.vassals / (name + ".ini")).touch()
        f = self.successor(e)

        def state(name):
            return (f.state(name) or {}).get("state")

        # gone: stopped and forgotten, with all that it had
        for kind in ("asleep", "stopped", "backoff", "running", "tasks"):
            eventually(lambda: state(kind + "-gone") is None, 10, kind + " is forgotten")
        for pid in (fronts["running-gone"], fronts["tasks-gone"], daemons["gone"]):
            eventually(lambda: pid not in process_tree(), 10, "its end")
        self.assertEqual(f.get("running-gone").status, 404)
        with self.assertRaises(ConnectionRefusedError):
            request(self.ports["asleep-gone"])

        # asleep: no change wakes it, and who comes gets what its ini says now
        for fate in ("edited", "touched", "same"):
            self.assertEqual((fate, state("asleep-" + fate)), (fate, "sleeping"))
        for fate in ("edited", "touched", "same"):
            text = request(self.ports["asleep-" + fate]).text
            self.assertEqual((fate, "hello" in text), (fate, fate != "edited"))

        # stopped by command: no change starts it, a command does
        for fate in ("edited", "touched", "same"):
            self.assertEqual((fate, state("stopped-" + fate)), (fate, "stopped"))
            self.assertEqual(f.get("stopped-" + fate).status, 503)
            f.ctl("start", "stopped-" + fate)
            self.assertEqual((fate, "hello" in f.wait_up("stopped-" + fate).text), (fate, fate != "edited"))

        # in back-off: mended it serves, else it is tried and fails as before
        self.assertNotIn("hello", f.wait_up("backoff-edited").text)
        for fate in ("touched", "same"):
            row = f.wait_state("backoff-" + fate, "backoff")
            self.assertIn("nosuchmodule", row["last_error"])
            self.assertEqual(f.get("backoff-" + fate).status, 503)

        # running, with and without tasks: reloaded or left alone
        for kind in ("running", "tasks"):
            for fate, generation in (("edited", 2), ("touched", 2), ("same", 1)):
                name = "%s-%s" % (kind, fate)
                row = eventually(lambda: (lambda r: r if (r["generation"], r["state"]) == (generation, "running") else None)
                                 (f.state(name)), 15, name)
                self.assertEqual((name, row["pid"] == fronts[name]), (name, fate == "same"))
                self.assertEqual((name, "hello" in f.wait_up(name).text), (name, fate != "edited"))
        for fate in ("edited", "touched"):
            eventually(lambda: daemons[fate] not in process_tree(), 10, "the end of the old daemon")
            eventually(lambda: self.daemon_pid("tasks-" + fate) not in (0, daemons[fate]), 10, "another daemon")
        self.assertEqual(self.daemon_pid("tasks-same"), daemons["same"])
        self.assertIn(daemons["same"], process_tree())
        self.assertEqual([t["starts"] for t in f.state("tasks-same")["tasks"]], [1])


class Releases(State):
    def setUp(self):
        super().setUp()
        for name, text in (("r1", GOOD), ("r2", BAD), ("r3", GOOD)):
            (self.folder / name).mkdir()
            (self.folder / name / "site_app.py").write_text(text % name)
        self.current = self.folder / "current"
        self.current.symlink_to(self.folder / "r1")

    def switch(self, release):
        (self.folder / "next").symlink_to(self.folder / release)
        (self.folder / "next").rename(self.current)

    def ask(self, e, n, path="/"):
        return {e.get("one", path).status for _ in range(n)}

    def serve(self, extra=""):
        e = self.emperor()
        self.ini = e.drop("one", "site_app", extra, app=self.current)
        e.wait_up("one")
        self.assertEqual(self.ask(e, 40), {200})
        return e

    def deploy(self, e, release):
        self.switch(release)
        e.ctl("reload", "one")
        eventually(lambda: e.get("one", "/ok").text == release)

    def test_a_probation_goes_on_under_the_next_emperor(self):
        e = self.serve()
        self.deploy(e, "r2")
        self.assertEqual(self.ask(e, 10), {500})
        self.kill(e)
        f = self.successor(e)
        self.assertEqual(f.state("one")["generation"], 2)
        # what was asked before and what is asked now make one rate
        self.assertEqual(self.ask(f, 10), {500})
        eventually(lambda: f.get("one").text == "r1")
        self.assertRegex(f.wait_state("one", "running")["reason"],
                         r"generation 2 is rolled back to what generation 1 ran: "
                         r"\d+ of its first \d+ requests failed; of 4\d before, 0 did")
        # what came back is what starts, under the one after that too
        self.kill(f)
        os.kill(f.state("one")["pid"] if f.alive() else self.front(f), signal.SIGKILL)
        g = self.successor(f)
        g.wait_up("one")
        self.assertEqual(g.get("one").text, "r1")
        self.assertIn("is rolled back to what generation 1 ran", g.wait_state("one", "running")["reason"])
        self.deploy(g, "r3")
        self.assertEqual(g.wait_state("one", "running")["reason"], "")

    def front(self, e):
        return next(pid for pid in e.strays() if title(pid) == "vassal: one")

    def test_a_probation_that_is_over_or_passed_is_not_taken_up(self):
        e = self.serve("probation = 1")
        self.deploy(e, "r2")
        eventually(lambda: b"\ntrial 0\n" in self.saved(e, "one"), 10, "it has passed")
        self.kill(e)
        f = self.successor(e)
        self.assertEqual(self.ask(f, 40), {500})
        self.assertEqual(f.state("one")["generation"], 2)
        # but by command there is a way back, to the release that ran
        f.ctl("rollback", "one")
        eventually(lambda: f.get("one").text == "r1")

    def test_a_rollback_that_was_only_begun_is_begun_again(self):
        (self.folder / "r1" / "site_app.py").write_text("import os, time\n"
                                                        "time.sleep(2 if os.path.exists('%s') else 0)\n"
                                                        % (self.folder / "slow") + GOOD % "r1")
        e = self.serve()
        self.deploy(e, "r2")
        (self.folder / "slow").touch()
        self.assertEqual(self.ask(e, 30), {500})
        eventually(lambda: e.state("one")["state"] == "replacing", 10, "the rollback has begun")
        eventually(lambda: b"\nrolled 1\n" in self.saved(e, "one"), 10, "it is written down")
        self.kill(e)
        f = self.successor(e)
        self.assertEqual(f.get("one", "/ok").text, "r2")
        eventually(lambda: f.get("one").text == "r1", 15)
        self.assertIn("is rolled back to what generation 1 ran", f.wait_state("one", "running")["reason"])
        self.assertIn("already", f.ctl_text("rollback", "one").stderr)

    def test_a_rollback_after_an_adoption_leads_to_the_release_that_ran(self):
        e = self.serve("probation = 0")
        self.kill(e)
        self.switch("r3")
        f = self.successor(e)
        # it knows what runs, wherever the link leads meanwhile
        self.assertEqual(f.get("one").text, "r1")
        self.assertRegex(f.ctl_text("plan").stdout, r"until it is reloaded; then chdir: \S+/r1 -> \S+/r3")
        f.ctl("reload", "one")
        eventually(lambda: f.get("one").text == "r3")
        self.kill(f)
        g = self.successor(f)
        g.ctl("rollback", "one")
        eventually(lambda: g.get("one").text == "r1")


class Versions(State):
    def test_a_front_that_speaks_another_version_serves_until_another_is_ready(self):
        own = free_port()
        e = self.emperor()
        e.drop("a", module="slow_import", extra="env = SECONDS=3\ndisable-logging = true\nhttp-socket = 127.0.0.1:%d" % own)
        e.wait_up("a")
        pid = e.state("a")["pid"]
        loads = [Load(e.port, "a.test"), Load(own, "a.test")]
        for load in loads:
            load.more()
        self.kill(e)
        self.restate(e, "a", lambda b: re.sub(rb"(\ngeneration(?: \d+)*) \d+\n", rb"\1 77\n", b))
        f = self.successor(e)
        self.assertIn("another build", f.output())
        for load in loads:
            load.more()
        eventually(lambda: f.state("a")["generation"] == 2 and f.state("a")["state"] == "running", 15, "another front")
        # nobody waited for the other's import
        self.assertLess(max(load.longest for load in loads), 2.5)
        eventually(lambda: pid not in process_tree(), 15, "the end of the old one")
        for load in loads:
            load.more()
            self.assertEqual(load.end(), [])

    def test_what_the_version_before_wrote_down_is_taken_over(self):
        own = free_port()
        e = self.emperor()
        e.drop("a", extra="disable-logging = true\nhttp-socket = 127.0.0.1:%d" % own)
        e.wait_up("a")
        before = e.state("a")
        loads = [Load(e.port, "a.test"), Load(own, "a.test")]
        for load in loads:
            load.more()
        self.kill(e)

        def to_version_1(b):
            head, _, rest = b.partition(b"\nspans ")
            sizes, _, bodies = rest.partition(b"\n")
            ini, file_ini = (int(n) for n in sizes.split()[:2])
            for row in (b"rolled_why", b"ended", b"trial", b"base_requests", b"base_errors", b"old_number", b"old_owner",
                        b"old_roots", b"old_requests", b"old_errors", b"old_wanted", b"served", b"bad_number"):
                head, n = re.subn(rb"\n%s [^\n]*(?=\n)" % row, b"", head)
                self.assertEqual(n, 1, row)
            return (re.sub(rb"^saved 3\n", b"saved 1\n", head) + b"\nini %d %d\n" % (ini, file_ini)
                    + bodies[: ini + file_ini])

        self.restate(e, "a", to_version_1)
        f = self.successor(e)
        now = f.state("a")
        self.assertEqual((now["pid"], now["generation"], now["state"]), (before["pid"], 1, "running"))
        # and from now on in this emperor's version
        eventually(lambda: self.saved(f, "a").startswith(b"saved 3\n"), 10, "it is written down anew")
        f.ctl("reload", "a")
        for load in loads:
            load.more()
            self.assertEqual(load.end(), [])

    def test_what_a_later_version_wrote_down_is_taken_over_as_far_as_it_is_known(self):
        own = free_port()
        e = self.emperor()
        e.drop("a", extra="disable-logging = true\nhttp-socket = 127.0.0.1:%d" % own)
        e.wait_up("a")
        before = e.state("a")
        loads = [Load(e.port, "a.test"), Load(own, "a.test")]
        for load in loads:
            load.more()
        self.kill(e)
        self.restate(e, "a", lambda b: re.sub(rb"\nstate ", b"\nmood 7\nstate ", re.sub(rb"^saved \d+\n", b"saved 99\ncolour red\n", b)))
        f = self.successor(e)
        self.assertIn("a: is written down by a later build", f.output())
        now = f.state("a")
        self.assertEqual((now["pid"], now["generation"], now["state"]), (before["pid"], 1, "running"))
        f.ctl("reload", "a")
        for load in loads:
            load.more()
            self.assertEqual(load.end(), [])

    def test_what_is_written_down_in_a_version_that_nobody_knows_is_refused_and_requests_in_hand_end_well(self):
        e = self.emperor()
        e.drop("a", module="slow", extra="processes = 2")
        e.wait_up("a")
        pid = e.state("a")["pid"]
        slow = self.slow_request(e.port, "a.test", "/?3")
        eventually(lambda: e.state("a")["busy"] == 1, 10, "it is in hand")
        self.kill(e)
        self.restate(e, "a", lambda b: re.sub(rb"^saved \d+\n", b"saved 99\n", b).replace(b"\nnumbers ", b"\ncounts "))
        f = self.successor(e)
        self.assertIn("a: not taken over: state/a.state: is of version 99, and \"numbers\" is not as", f.output())
        f.wait_up("a")
        self.assertTrue(slow.is_alive(), "before the old front had drained")
        slow.join()
        self.assertEqual(slow.status, 200)
        eventually(lambda: pid not in process_tree(), 10, "the end of the old front")

    def test_a_vassal_of_another_handoff_version_fails_and_the_old_one_serves(self):
        other = self.folder / "other"
        shutil.copytree(BIN, other / "bin")
        shutil.copytree(BIN.parent / "libexec", other / "libexec")
        e = self.emperor()
        e.drop("a")
        e.wait_up("a")
        self.assertEqual(self.upgrade(e, str(other / "bin" / "emperor")).returncode, 0)
        e.ctl("reload", "a")
        before = e.state("a")
        (other / "bin" / "vassal").rename(other / "bin" / "vassal-itself")
        (other / "bin" / "vassal").write_text('#!/bin/sh\nEMPEROR_HANDOFF=99 exec "%s" "$@"\n' % (other / "bin" / "vassal-itself"))
        os.chmod(other / "bin" / "vassal", 0o755)
        self.assertNotEqual(e.ctl_text("reload", "a").returncode, 0)
        self.assertIn("handoff version 99, this vassal speaks", e.output())
        now = e.state("a")
        self.assertEqual((now["pid"], now["state"]), (before["pid"], "running"))
        self.assertEqual(e.get("a").status, 200)


if __name__ == "__main__":
    unittest.main()
