"""An emperor that can be replaced: killed under load and started again, upgraded, with what had changed meanwhile."""

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import unittest

from harness import BIN, eventually, free_port, process_tree, request, title
from succession import Load, Succession


class Adoption(Succession):
    def test_a_killed_emperor_is_replaced_under_load_without_a_lost_request(self):
        own = free_port()
        e = self.emperor()
        e.drop("a", extra="disable-logging = true")
        e.drop("b", extra="disable-logging = true\nhttp-socket = 127.0.0.1:%d" % own)
        e.wait_up("a")
        e.wait_up("b")
        before = {name: e.state(name) for name in "ab"}
        roles = self.roles(e)
        loads = [Load(e.port, "a.test"), Load(e.port, "b.test"), Load(own, "b.test")]
        for load in loads:
            load.more()
        counted = e.ctl("stats", "a")["requests"]
        self.kill(e)
        for load in loads:
            load.more()
        f = self.successor(e)
        for load in loads:
            load.more()
        self.assertEqual({name: before[name]["pid"] for name in "ab"},
                         {name: f.state(name)["pid"] for name in "ab"})
        self.assertEqual([f.state(name)["state"] for name in "ab"], ["running", "running"])
        self.assertEqual(f.state("a")["generation"], 1)
        self.assertEqual(self.processes(f), roles)
        self.assertGreaterEqual(f.ctl("stats", "a")["requests"], counted + 40)
        eventually(lambda: f.ctl("stats")["pid"] == f.process.pid, 5, "the pid of the emperor that is")
        # it is theirs now: reload, edit, delete
        f.ctl("reload", "a")
        self.assertEqual(f.state("a")["generation"], 2)
        self.assertNotEqual(f.state("a")["pid"], before["a"]["pid"])
        for load in loads:
            load.more()
        for load in loads:
            self.assertEqual(load.end(), [])
        self.assertLess(max(load.longest for load in loads), 2.0)
        eventually(lambda: before["a"]["pid"] not in process_tree(), 5, "the first generation has gone")

    def test_limits_of_what_was_adopted_still_change_in_place(self):
        e = self.emperor()
        e.drop("one", extra="processes = 1\n")
        e.wait_up("one")
        was = e.state("one")
        self.kill(e)
        # one edit while nobody looked, one afterwards
        e.drop("one", extra="processes = 2\n")
        f = self.successor(e)
        eventually(lambda: f.state("one")["alive"] == 2)
        f.drop("one", extra="processes = 3\n")
        eventually(lambda: f.state("one")["alive"] == 3)
        now = f.state("one")
        self.assertEqual((now["pid"], now["generation"]), (was["pid"], was["generation"]))

    def test_included_files_are_followed_by_the_next_emperor(self):
        incs = {name: self.folder / (name + ".inc") for name in ("edited", "later")}
        e = self.emperor("--rescan", "1")
        for name, inc in incs.items():
            inc.write_text("[vassal]\nharakiri = 50\n")
            e.drop(name, extra="ini = %s" % inc)
            e.wait_up(name)
        was = {name: e.state(name)["pid"] for name in incs}
        self.kill(e)
        incs["edited"].write_text("[vassal]\nharakiri = 60\n")
        f = self.successor(e, "--rescan", "1")
        eventually(lambda: "edited: generation 1: limits changed: harakiri: 50 -> 60" in f.output())
        self.assertNotIn("later: a file that its ini reads", f.output())
        incs["later"].write_text("[vassal]\nharakiri = 70\n")
        eventually(lambda: "later: generation 1: limits changed: harakiri: 50 -> 70" in f.output())
        self.assertEqual({name: f.state(name)["pid"] for name in incs}, was)

    def test_what_changed_while_there_was_no_emperor_is_found(self):
        e = self.emperor()
        for name in ("edited", "deleted", "stopped", "dead", "same", "failed", "rolled"):
            e.drop(name)
            e.wait_up(name)
        e.drop("failed", module="nosuchmodule")
        eventually(lambda: "keeps serving" in e.state("failed")["reason"], 10, "the edit has failed")
        e.drop("rolled", module="named")
        eventually(lambda: e.state("rolled")["generation"] == 2 and e.state("rolled")["state"] == "running", 10, "2")
        e.ctl("rollback", "rolled")
        slept = free_port()
        e.drop("asleep", extra="on-demand = true\nhttp = 127.0.0.1:%d" % slept)
        e.wait_state("asleep", "sleeping")
        e.drop("broken", module="nosuchmodule")
        e.wait_state("broken", "backoff")
        e.ctl("stop", "stopped")
        before = {row["name"]: row for row in e.ctl("status")["apps"]}
        keeper = self.roles(e)["keeper"]
        self.kill(e)
        e.drop("edited", module="named")
        (e.vassals / "deleted.ini").unlink()
        os.kill(before["dead"]["pid"], signal.SIGKILL)
        eventually(lambda: before["dead"]["pid"] not in process_tree(), 5, "its end")
        e.drop("broken")
        f = self.successor(e)
        eventually(lambda: f.state("edited")["generation"] == 2 and f.state("edited")["state"] == "running", 10, "reload")
        eventually(lambda: f.state("deleted") is None, 10, "the end of what was deleted")
        self.assertEqual(f.state("stopped")["state"], "stopped")
        self.assertIn("by command", f.state("stopped")["reason"])
        self.assertEqual(f.get("stopped").status, 503)
        self.assertEqual(f.wait_state("dead", "running")["restarts"], 1)
        f.wait_up("dead")
        f.wait_up("broken")
        # what was decided stays decided: nothing of these is tried again by itself
        for name in ("same", "failed", "rolled"):
            self.assertEqual((name, f.state(name)["pid"]), (name, before[name]["pid"]))
            self.assertEqual(f.state(name)["state"], "running")
        self.assertIn("hello", f.get("rolled").text)
        f.ctl("reload", "rolled")
        eventually(lambda: "hello" not in f.get("rolled").text, 5, "the file's own version")
        self.assertIn("nosuchmodule", f.ctl_text("reload", "failed").stderr)
        self.assertEqual(f.state("failed")["pid"], before["failed"]["pid"])
        self.assertEqual(f.state("asleep")["state"], "sleeping")
        self.assertEqual(request(slept).status, 200)
        # once more, and with another keeper: nothing depends on the first
        os.kill(keeper, signal.SIGKILL)
        eventually(lambda: self.processes(f).get("keeper", keeper) != keeper, 5, "another keeper")
        f.ctl("start", "stopped")
        f.wait_up("stopped")
        self.kill(f)
        g = self.successor(f)
        self.assertEqual(g.state("same")["pid"], before["same"]["pid"])
        g.wait_up("stopped")
        # no trace of who is gone
        self.assertEqual(sorted(p.name for p in (g.run_dir / "state").iterdir()),
                         sorted("%s.state" % n for n in ("asleep", "broken", "dead", "edited", "failed", "rolled", "same", "stopped")))
        # an end is an end: of each app stays what was decided, and nothing that could be taken for a process or a door
        g.ctl("stop", "stopped")
        (g.vassals / "broken.ini").unlink()
        eventually(lambda: g.state("broken") is None, 10, "it is forgotten")
        g.stop()
        left = {p.name: p.read_bytes() for p in (g.run_dir / "state").iterdir()}
        self.assertEqual(sorted(left), sorted("%s.state" % n for n in ("asleep", "dead", "edited", "failed", "rolled", "same", "stopped")))
        for name, data in left.items():
            self.assertIn(b"\nended 1\n", data, name)
            self.assertIn(b"\nbegun %d\n" % (name != "stopped.state"), data, name)
            self.assertIsNone(re.search(rb"\n(generation|door) ", data), name)
            for row in (b"board", b"gate_end", b"front_end"):
                self.assertIn(b"\n%s 0\n" % row, data, name)
        self.assertEqual(sorted(p.name for p in g.run_dir.iterdir()), ["state"])

    def test_an_upgrade_costs_no_request_and_no_process(self):
        own = free_port()
        e = self.emperor()
        e.drop("a", extra="disable-logging = true\nhttp-socket = 127.0.0.1:%d" % own)
        e.wait_up("a")
        before, roles = e.state("a"), self.roles(e)
        loads = [Load(e.port, "a.test"), Load(own, "a.test")]
        for load in loads:
            load.more()
        # what is no program, or another's to write, changes nothing
        self.assertIn("is not a program", e.ctl_text("upgrade", str(e.vassals)).stderr)
        self.assertIn("is no emperor that starts here", e.ctl_text("upgrade", "/bin/false").stderr)
        self.assertIn("is no emperor that starts", e.ctl_text("upgrade", "/bin/true").stderr)
        for program in ((), (str(BIN / "emperor"),)):
            done = self.upgrade(e, *program)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("pid %d" % e.process.pid, done.stdout)
            self.assertEqual(e.state("a")["pid"], before["pid"])
            self.assertEqual(self.processes(e), roles)
            for load in loads:
                load.more()
        # another build: apps run on, gate and stats are its own
        other = self.folder / "bin"
        other.mkdir()
        shutil.copy(BIN / "emperor", other)
        self.assertIn("it belongs beside the emperor", e.ctl_text("upgrade", str(other / "emperor")).stderr)
        shutil.copytree(BIN, other, dirs_exist_ok=True)
        shutil.copytree(BIN.parent / "libexec", self.folder / "libexec")
        done = self.upgrade(e, str(other / "emperor"))
        self.assertEqual(done.returncode, 0, done.stderr)
        eventually(lambda: {n: p for n, p in self.processes(e).items() if p in roles.values()} ==
                   {"keeper": roles["keeper"]}, 10, "gate and stats of the new build alone")
        self.assertEqual(e.state("a")["pid"], before["pid"])
        for load in loads:
            load.more()
        e.ctl("reload", "a")
        self.assertEqual(os.readlink("/proc/%d/exe" % e.state("a")["pid"]), str(other / "vassal"))
        for load in loads:
            load.more()
            self.assertEqual(load.end(), [])

    def test_an_upgrade_in_place_tries_what_stands_there_first(self):
        other = self.folder / "bin"
        shutil.copytree(BIN, other)
        shutil.copytree(BIN.parent / "libexec", self.folder / "libexec")
        e = self.emperor()
        e.drop("a")
        e.wait_up("a")
        done = self.upgrade(e, str(other / "emperor"))
        self.assertEqual(done.returncode, 0, done.stderr)
        pid, began = e.state("a")["pid"], e.ctl("version")["began_ns"]
        good = other / "good"
        (other / "emperor").rename(good)
        for text, what in (("exit 1", "fails"), ("echo nginx version: 1", "is another"), ("exec sleep 100", "hangs")):
            (other / "new").write_text("#!/bin/sh\n%s\n" % text)
            os.chmod(other / "new", 0o755)
            (other / "new").rename(other / "emperor")
            done = e.ctl_text("upgrade")
            self.assertEqual(done.returncode, 1, what)
            self.assertIn("%s: is no emperor that starts here" % (other / "emperor"), done.stderr, what)
            self.assertEqual(e.ctl("version")["began_ns"], began, what)
        # the keeper would not understand it: it would be gone at once, and no emperor there
        wrapper = '#!/bin/sh\n[ "$1" = --speaks ] && { %s; }\nexec ' + str(good) + ' "$@"\n'
        (other / "emperor").write_text(wrapper % "echo keeper 99; exit 0")
        os.chmod(other / "emperor", 0o755)
        done = e.ctl_text("upgrade")
        self.assertEqual(done.returncode, 1)
        self.assertIn("speaks version 99 with the keeper, the emperor that runs 2", done.stderr)
        self.assertEqual(e.ctl("version")["began_ns"], began)
        # others could have put it there: it is not even tried
        touched = self.folder / "touched"
        (other / "emperor").write_text("#!/bin/sh\ntouch %s\n" % touched)
        os.chmod(other / "emperor", 0o777)
        self.assertIn("others than root may write it", e.ctl_text("upgrade").stderr)
        self.assertFalse(touched.exists())
        good.rename(other / "emperor")
        self.assertEqual(self.upgrade(e).returncode, 0)
        self.assertNotEqual(e.ctl("version")["began_ns"], began)
        self.assertEqual(e.state("a")["pid"], pid)
        # one from before it could say what it speaks
        began = e.ctl("version")["began_ns"]
        good.write_text(wrapper.replace(str(good), str(other / "emperor")) % "exit 2")
        os.chmod(good, 0o755)
        self.assertEqual(self.upgrade(e, str(good)).returncode, 0)
        self.assertNotEqual(e.ctl("version")["began_ns"], began)
        self.assertEqual(e.state("a")["pid"], pid)

    def test_without_its_keeper_too_everything_begins_anew_and_says_why(self):
        e = self.emperor()
        for name in ("a", "b"):
            e.drop(name)
            e.wait_up(name)
        before = {name: e.state(name)["pid"] for name in ("a", "b")}
        keeper = self.roles(e)["keeper"]
        os.kill(keeper, signal.SIGSTOP)  # or it would be started again, or the other way round
        self.kill(e)
        os.kill(keeper, signal.SIGKILL)
        eventually(lambda: keeper not in process_tree(), 5, "the keeper's end: the successor would still hear it")
        f = self.successor(e)
        for name in ("a", "b"):
            f.wait_up(name)
            self.assertNotEqual(f.state(name)["pid"], before[name])
            eventually(lambda: before[name] not in process_tree(), 15, "the end of the old one")
        # how emperors came is history, and so is how they go
        lives = [x["text"] for x in eventually(lambda: (lambda v: v if len(v) == 2 else None)(
            [x for x in f.ctl("events")["events"] if x["app"] == "#emperor" and x["kind"] == "note"]), 10, "two emperors")]
        self.assertRegex("\n".join(sorted(lives)), r"(?m)^emperor \S+ \(pid %d\) has started$" % e.process.pid)
        self.assertRegex("\n".join(lives), r"(?m)^emperor \S+ \(pid %d\) has " % f.process.pid)
        # whatever it says of an app has a reason
        self.assertNotRegex(f.output(), r"stopped \(\)|: ?\n|\(\)$")
        self.assertIn("all its processes have gone", f.output())

    def test_killed_at_any_moment_of_a_reload_and_with_its_gate_frozen_keeper_or_stats(self):
        own = free_port()
        e = self.emperor()
        e.drop("a", extra="disable-logging = true\nhttp-socket = 127.0.0.1:%d" % own)
        e.wait_up("a")
        load = Load(own, "a.test")
        chance = random.Random(5)
        for hit in (None, None, None, None, "stats", "keeper"):
            load.more(5)
            roles = self.roles(e)
            with subprocess.Popen([str(BIN / "emperorctl"), "--run-dir", str(e.run_dir), "reload", "a"],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
                time.sleep(chance.random() * 0.08)  # the moment is the point
                self.kill(e)
            if hit == "keeper":
                os.kill(roles["keeper"], signal.SIGSTOP)
            elif hit:
                os.kill(roles[hit], signal.SIGKILL)
            e = self.successor(e)
            e.wait_state("a", "running")
            e.wait_up("a")
        load.more()
        self.assertEqual(load.end(), [])
        eventually(lambda: len([p for p in e.strays() if title(p) == "vassal: a"]) == 1, 10, "one front")
        # the gate with it: who came since waits at the port, and is served
        gate = self.roles(e)["gate"]
        self.kill(e)
        os.kill(gate, signal.SIGKILL)
        eventually(lambda: gate not in process_tree(), 5, "the end of the gate")
        with socket.create_connection(("127.0.0.1", e.port), 10) as waiting:
            waiting.sendall(b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
            e = self.successor(e)
            self.assertTrue(waiting.recv(100).startswith(b"HTTP/1.1 200"))

    def test_who_waits_for_an_app_that_starts_is_served_by_the_next_emperor(self):
        e = self.emperor()
        e.drop("slow", module="slow_import", extra="env = SECONDS=1")
        e.wait_state("slow", "starting")
        answers = []
        clients = [threading.Thread(target=lambda: answers.append(e.get("slow", timeout=30).status)) for _ in range(3)]
        for client in clients:
            client.start()
        time.sleep(0.2)  # they are in the door by then, or come later: both must do
        self.kill(e)
        f = self.successor(e)
        f.wait_state("slow", "running")
        for client in clients:
            client.join()
        self.assertEqual(answers, [200] * 3)
        eventually(lambda: len([p for p in f.strays() if title(p) == "vassal: slow"]) == 1, 10, "one front")

    def test_without_its_keeper_what_runs_ends_gracefully_and_starts_anew(self):
        own = free_port()
        e = self.emperor()
        e.drop("a", extra="http-socket = 127.0.0.1:%d" % own)
        e.wait_up("a")
        pid = e.state("a")["pid"]
        roles = self.roles(e)
        self.kill(e)
        for name in ("keeper", "gate"):
            os.kill(roles[name], signal.SIGKILL)
        eventually(lambda: not {roles["keeper"], roles["gate"], roles["stats"]} & set(process_tree()), 5, "their end")
        self.assertEqual(request(own).status, 200)
        f = self.successor(e)
        f.wait_up("a")
        self.assertEqual(request(own).status, 200)
        self.assertNotEqual(f.state("a")["pid"], pid)
        self.assertIn("outlived its emperor's keeper", f.output())

    def test_a_file_that_is_torn_or_not_ours_costs_its_app_a_new_start_and_no_other(self):
        e = self.emperor()
        for name in ("a", "b", "c"):
            e.drop(name)
            e.wait_up(name)
        pid = e.state("c")["pid"]
        self.kill(e)
        state = e.run_dir / "state"
        torn = (state / "a.state").read_bytes()
        (state / "a.state").write_bytes(torn[: len(torn) // 2])
        os.chmod(state / "b.state", 0o666)
        f = self.successor(e)
        self.assertIn("a: not taken over: state/a.state: torn", f.output())
        self.assertIn("b: not taken over: state/b.state: others could have written it", f.output())
        f.wait_up("a")
        f.wait_up("b")
        self.assertEqual(f.state("c")["pid"], pid)
        eventually(lambda: len([p for p in f.strays() if title(p) == "vassal: a"]) == 1, 10, "one front of a")

    def test_an_emperor_killed_while_it_stops_is_followed_by_one_that_serves(self):
        os.chmod(self.folder, 0o777)
        sock = self.folder / "own.sock"
        tcp = free_port()
        e = self.emperor()
        e.drop("a", module="slow", extra="processes = 2\nhttp-socket = %s\nhttp-socket = 127.0.0.1:%d" % (sock, tcp))
        e.drop("deleted", module="slow")
        e.drop("rests")
        for name in ("a", "deleted", "rests"):
            e.wait_up(name)
        e.ctl("stop", "rests")
        old = e.state("a")["pid"]
        slow = [self.slow_request(e.port, name + ".test", "/?5") for name in ("a", "deleted")]
        time.sleep(0.3)
        (e.vassals / "deleted.ini").unlink()
        e.wait_state("deleted", "stopping")
        os.kill(e.process.pid, signal.SIGTERM)
        eventually(lambda: "a: the emperor stops" in e.output(), 5, "the stop")
        time.sleep(0.2)
        self.kill(e)
        f = self.successor(e)
        f.wait_up("a")
        self.assertEqual(request(tcp).status, 200)
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(str(sock))
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            self.assertIn(b"200 OK", s.recv(1000))
        self.assertTrue(slow[0].is_alive(), "not before the old front had drained")
        self.assertNotEqual(f.state("a")["pid"], old)
        self.assertEqual(f.state("rests")["state"], "stopped")
        for s in slow:
            s.join()
            self.assertEqual(s.status, 200)
        eventually(lambda: f.state("deleted") is None, 10, "the end of what was deleted")

    def test_what_was_deleted_and_ended_without_an_emperor_is_forgotten(self):
        e = self.emperor()
        e.drop("a", module="slow")
        e.drop("b")
        e.wait_up("a")
        pid = e.state("a")["pid"]
        slow = self.slow_request(e.port, "a.test", "/?3")
        time.sleep(0.5)
        (e.vassals / "a.ini").unlink()
        e.wait_state("a", "stopping")
        self.kill(e)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)  # orphans come to us, and no init has reaped it yet
        slow.join()
        f = self.successor(e)
        f.wait_up("b")
        eventually(lambda: f.state("a") is None, 5, "it is forgotten")

    def test_limits_that_a_front_was_asked_for_come_true_under_the_next_emperor(self):
        e = self.emperor()
        e.drop("a", extra="reload-mercy = 7")
        e.wait_up("a")
        front = e.state("a")["pid"]
        os.kill(front, signal.SIGSTOP)
        e.drop("a", extra="reload-mercy = 600")
        eventually(lambda: "reload-mercy: 7 -> 600, in place" in e.output(), 10, "the question")
        eventually(lambda: b"reload-mercy = 600" in (e.run_dir / "state" / "a.state").read_bytes(), 10, "written down")
        self.kill(e)
        os.kill(front, signal.SIGCONT)
        f = self.successor(e)
        f.wait_up("a")
        eventually(lambda: "until it is reloaded" not in f.ctl_text("plan").stdout, 10, "what the file says is in force")

    def test_counts_that_were_given_or_commanded_are_known_to_the_next_emperor(self):
        e = self.emperor("--max-workers", "4")
        e.drop("a", extra="processes = 2")
        e.wait_up("a")
        e.drop("b", extra="processes = 3")
        e.wait_up("b")
        eventually(lambda: e.state("b")["alive"] == 2, 10, "two of three")
        e.ctl("scale", "a", "1")
        self.kill(e)
        f = self.successor(e, "--max-workers", "4")
        self.assertEqual(f.state("a")["scaled"], 1)
        eventually(lambda: f.state("b")["alive"] == 3, 10, "what the other has left")
        self.assertEqual(f.state("b")["generation"], 1)

    def test_what_was_decided_outlives_front_and_emperor(self):
        e = self.emperor()
        fronts = {}
        for name in ("failed", "rolled", "asleep"):
            e.drop(name, extra="sleep-after = 3" if name == "asleep" else "")
            e.wait_up(name)
        e.drop("failed", module="nosuchmodule")
        eventually(lambda: "keeps serving" in e.state("failed")["reason"], 10, "the edit has failed")
        for name in ("rolled", "asleep"):
            extra = "sleep-after = 3\n" if name == "asleep" else ""
            e.drop(name, module="named", extra=extra + "env = NAME=next")
            # a request each time: one that fell asleep takes the edit when it wakes, and can be rolled back too
            eventually(lambda: e.get(name).text == "next", 10, "the edit is served")
            e.ctl("rollback", name)
            self.assertIn("hello", e.get(name).text)
        e.wait_state("asleep", "sleeping")
        fronts = [e.state(name)["pid"] for name in ("failed", "rolled")]
        self.kill(e)
        for pid in fronts:
            os.kill(pid, signal.SIGKILL)
        for pid in fronts:
            os.waitpid(pid, 0)  # orphans come to us
        f = self.successor(e)
        for name in ("failed", "rolled", "asleep"):
            self.assertIn("hello", f.wait_up(name).text)
            self.assertEqual(f.state(name)["state"], "running")
        self.assertIn("rolled back", f.state("asleep")["reason"])

    def test_what_drains_after_a_stop_by_command_rests_after_a_restart(self):
        e = self.emperor()
        e.drop("a", module="slow")
        e.wait_up("a")
        slow = self.slow_request(e.port, "a.test", "/?2")
        time.sleep(0.5)
        e.ctl("stop", "--no-wait", "a")
        self.assertEqual(e.state("a")["state"], "stopping")
        e.stop()
        slow.join()
        self.assertEqual(slow.status, 200)
        f = self.successor(e)
        self.assertEqual(f.state("a")["state"], "stopped")


if __name__ == "__main__":
    unittest.main()
