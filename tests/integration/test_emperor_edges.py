"""The emperor at its edges: wrong users and paths, apps that damage what they hold, what is said and how often."""

import ctypes
import os
import re
import signal
import socket
import struct
import subprocess
import time
import unittest

import harness
from harness import BIN, Case, eventually, title

HANDOFF_FD = 3
LINK_FD, BOARD_FD, GATE_FD = HANDOFF_FD + 1, HANDOFF_FD + 2, HANDOFF_FD + 3
MSG_STATE = 5  # shared/msg.h
PIDFD_GETFD = 438
libc = ctypes.CDLL(None, use_errno=True)
as_root = unittest.skipUnless(os.getuid() == 0, "only root starts roles and apps as others")


def descriptor_of(pid, number):
    """A copy of another process's descriptor: what its own app could take, being the same user."""
    pidfd = os.pidfd_open(pid)
    try:
        fd = libc.syscall(PIDFD_GETFD, pidfd, number, 0)
    finally:
        os.close(pidfd)
    if fd < 0:
        raise unittest.SkipTest("pidfd_getfd: %s" % os.strerror(ctypes.get_errno()))
    return fd


def shut_door(pid, how):
    with socket.socket(fileno=descriptor_of(pid, GATE_FD)) as door:
        assert door.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_SEQPACKET
        door.shutdown(how)


def ticks(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def role(emperor, name):
    """The pid of a role of this emperor."""
    pids = [p for p in harness.descendants(emperor.process.pid) if harness.title(p) == "emperor: " + name]
    return pids[0] if pids else None


def run(*args, **kw):
    return subprocess.run([str(BIN / "emperor"), *map(str, args)], capture_output=True, text=True, timeout=20, **kw)


class CommandLine(Case):
    def test_an_option_that_does_not_exist_is_a_usage_error(self):
        done = run("--foo")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--foo", done.stderr)

    def test_help_shows_an_example_and_every_format_can_be_dumped(self):
        text = run("--help").stdout
        for word in ("--help", "--version", "--dump-options", "Example", "[vassal]"):
            self.assertIn(word, text)
        for name, word in (("mdoc", ".It Cm vassals"), ("ini", "[emperor]"), ("dict", '"'), ("help", "--vassals")):
            done = run("--dump-options=" + name)
            self.assertEqual(done.returncode, 0)
            self.assertIn(word, done.stdout)
        self.assertEqual(run("--dump-options=xml").returncode, 2)

    @as_root
    def test_users_that_do_not_exist_stop_the_start(self):
        for option in ("gate-user", "stats-user", "uid", "gid"):
            with self.subTest(option):
                done = run("--vassals", self.folder, "--run-dir", self.folder / "run", "--db", "none",
                           "--" + option, "nosuchone")
                self.assertEqual(done.returncode, 1)
                self.assertRegex(done.stderr, option + r" = .*nosuchone")
                self.assertEqual(done.stderr.count("\n"), 1, done.stderr)


class Said(Case):
    def test_a_missing_directory_is_said_once(self):
        e = self.emperor("--vassals", self.folder / "nope", "--rescan", "1")
        eventually(lambda: "nope" in e.output(), 5, "a word on it")
        e.drop("a")
        e.wait_up("a")
        warnings = [line for line in e.output().splitlines() if "nope" in line and "warning" in line.lower()]
        self.assertEqual(len(warnings), 1, warnings)

    def test_names_that_cannot_be_an_apps_are_said(self):
        e = self.emperor("--rescan", "1")
        (e.vassals / ("x" * 200 + ".ini")).write_text("[vassal]\nmodule = hello\n")
        eventually(lambda: "xxx.ini: ignored" in e.output(), 5, "complaint")
        os.unlink(e.vassals / ("x" * 200 + ".ini"))
        with open(bytes(e.vassals) + b"/\xff\x9bname.ini", "w") as f:
            f.write("[vassal]\nmodule = hello\n")
        eventually(lambda: "name.ini: ignored" in e.output(), 5, "complaint")
        self.assertNotIn(b"\xff", e.log_path.read_bytes())
        self.assertEqual(e.ctl("status")["apps"], [])

    @as_root
    def test_the_default_user_is_said_once_and_is_no_warning(self):
        e = self.emperor()
        e.drop("a")
        e.wait_up("a")
        e.ctl("reload", "a")
        lines = [line for line in e.output().splitlines() if "names no uid" in line]
        self.assertEqual(len(lines), 1, lines)
        self.assertNotIn("warning", lines[0].lower())

    def test_a_failed_import_is_said_once_and_stops_no_clock(self):
        e = self.emperor()
        e.drop("a")
        e.wait_up("a")
        since = e.state("a")["since"]
        time.sleep(1.1)  # since may be in whole seconds
        e.drop("a", module="no_such_module_at_all")
        eventually(lambda: "keeps serving" in e.output(), 10, "the failure")
        e.wait_state("a", "running")
        self.assertEqual(e.state("a")["since"], since)
        records = re.findall(r"^\S+ \w+ emperor: .*(?:\n\t.*)*", e.output(), re.M)
        failures = [r for r in records if "No module named" in r]
        self.assertEqual(len(failures), 1, e.output())
        # the app's own words stand before it, once
        self.assertEqual(e.output().count("Traceback"), 1, e.output())

    def test_what_cannot_be_bound_is_said_with_its_line(self):
        e = self.emperor()
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            s.listen()
            port = s.getsockname()[1]
            path = e.drop("a", extra="http = 127.0.0.1:%d" % port)
            eventually(lambda: "cannot bind" in e.output(), 10, "the failure")
        self.assertIn("%s:5: 127.0.0.1:%d: cannot bind" % (path, port), e.output())
        self.assertNotIn("127.0.0.1:%d: 127.0.0.1:%d" % (port, port), e.output())
        e.drop("b")
        e.wait_up("b")
        e.drop("c", domain="b.test")
        eventually(lambda: "answers for that name already" in e.output(), 10, "the refusal")
        self.assertIn("c.ini:2: domain = b.test", e.output())
        e.drop("d", extra="logto = /proc/no/such.log")
        eventually(lambda: "such.log" in e.output(), 10, "the refusal")
        self.assertIn("d.ini:5: logto = /proc/no/such.log", e.output())

    def test_a_lost_front_is_said_once(self):
        e = self.emperor()
        e.drop("a")
        e.wait_up("a")
        os.kill(e.state("a")["pid"], signal.SIGKILL)
        eventually(lambda: "killed by signal 9" in e.output(), 10, "the loss")
        e.wait_up("a")
        self.assertEqual(e.output().count("killed by signal 9"), 1, e.output())
        self.assertNotIn("next try in 0.0 s", e.output())


class Places(Case):
    def test_relative_paths_start_where_the_emperor_was_started(self):
        before = os.getcwd()
        os.chdir(self.folder)
        try:
            self.emperor("--db", "rel/history.db")
        finally:
            os.chdir(before)
        eventually((self.folder / "rel" / "history.db").exists, 10, "the database")

    @as_root
    def test_a_database_folder_that_stats_may_not_write_is_said_with_the_cure(self):
        (self.folder / "mine").mkdir(mode=0o755)
        e = self.emperor("--db", self.folder / "mine" / "history.db")
        eventually(lambda: "chown" in e.output(), 5, "the cure")
        self.assertRegex(e.output(), r'mine: .*stats-user.*chown \S+ ' + re.escape(str(self.folder / "mine")))

    @as_root
    def test_of_the_run_directory_no_chown_is_advised(self):
        e = self.emperor("--db", self.folder / "run" / "history.db")
        eventually(lambda: "(db = FILE in another directory than run-dir)" in e.output(), 5, "the cure")
        self.assertNotIn("chown", e.output())

    def test_roles_that_outlived_emperor_and_keeper_are_ended_by_the_next_emperor(self):
        e = self.emperor()
        e.drop("a")
        e.wait_up("a")
        gate, keeper = role(e, "gate"), role(e, "keeper")
        os.kill(e.process.pid, signal.SIGKILL)
        e.process.wait()
        os.kill(keeper, signal.SIGKILL)
        eventually(lambda: not title(keeper), 5, "its end")
        self.assertEqual(e.get("a").status, 200, "the gate serves on")
        f = self.emperor("--http", "127.0.0.1:%d" % e.port, http=False)
        f.port = e.port
        eventually(lambda: f.ctl_text("version").returncode == 0, 10, "the next emperor")
        f.wait_up("a")
        self.assertIn("gate (pid %d) has outlived an emperor and its keeper: ended" % gate, f.output())


class Damage(Case):
    def test_a_shut_door_costs_no_time_and_is_new_in_the_next_generation(self):
        e = self.emperor()
        e.drop("a")
        e.drop("b")
        for how in (socket.SHUT_WR, socket.SHUT_RD):
            e.wait_up("a")
            shut_door(e.state("a")["pid"], how)
            if how == socket.SHUT_RD:
                self.assertEqual(e.get("a").status, 503)
            gate = role(e, "gate")
            before = ticks(gate)
            time.sleep(0.5)
            self.assertLess(ticks(gate) - before, 15)
            e.wait_up("b")
            e.ctl("reload", "a")
            e.wait_up("a")
        self.assertIn("new one", e.output())

    def test_a_scoreboard_that_was_overwritten_does_not_stop_the_next_generation(self):
        e = self.emperor()
        e.drop("a")
        e.wait_up("a")
        fd = descriptor_of(e.state("a")["pid"], BOARD_FD)
        os.pwrite(fd, b"\xff" * 64, 0)
        os.close(fd)
        before = e.state("a")["generation"]
        e.ctl("reload", "a")
        e.wait_up("a")
        row = e.wait_state("a", "running")
        self.assertGreater(row["generation"], before)
        self.assertIn("scoreboard was overwritten", e.output())

    def test_a_front_that_chatters_fills_neither_the_log_nor_the_emperors_time(self):
        e = self.emperor()
        # it has a log of its own: what its front says of itself stands in the emperor's too
        e.drop("a", extra="logto = %s" % (self.folder / "a.txt"))
        e.wait_up("a")
        pid = e.state("a")["pid"]
        with socket.socket(fileno=descriptor_of(pid, LINK_FD)) as link:
            began, before = time.monotonic(), ticks(e.process.pid)
            text = b"chatter"
            message = struct.pack("=HHIQQQ", MSG_STATE, len(text), 0, 1, 0, 0) + text
            while time.monotonic() < began + 2:
                try:
                    link.send(message, socket.MSG_DONTWAIT)
                except BlockingIOError:
                    time.sleep(0.001)
            heard = e.output().count("a: chatter")
            self.assertGreater(heard, 0)
            self.assertLess(heard, 500)
            self.assertLess(ticks(e.process.pid) - before, 40)
            self.assertEqual(e.output().count("heard once a second"), 1)
        self.assertEqual(e.ctl("status", "a")["apps"][0]["notes"].count("chatter"), 16)
        # it is still an app like others
        e.ctl("reload", "a")
        e.wait_up("a")
        self.assertEqual(e.state("a")["generation"], 2)

    def test_stop_and_start_mend_both(self):
        e = self.emperor()
        e.drop("a")
        e.wait_up("a")
        pid = e.state("a")["pid"]
        shut_door(pid, socket.SHUT_RDWR)
        fd = descriptor_of(pid, BOARD_FD)
        os.pwrite(fd, b"\xff" * 64, 0)
        os.close(fd)
        e.ctl("stop", "a")
        e.wait_state("a", "stopped")
        e.ctl("start", "a")
        e.wait_up("a")


class Names(Case):
    def test_a_running_app_that_was_refused_a_name_gets_it_once_it_is_free(self):
        e = self.emperor()
        e.drop("a")
        e.drop("b")
        e.wait_up("a")
        e.wait_up("b")
        e.drop("b", extra="domain = a.test")
        eventually(lambda: "answers for that name already" in e.output(), 10, "the refusal")
        e.wait_state("b", "running")
        (e.vassals / "a.ini").unlink()
        eventually(lambda: e.state("a") is None, 10, "a is gone")
        eventually(lambda: "a.test" in str(e.state("b")), 10, "b has the name")
        e.wait_up("b")
        eventually(lambda: e.get("b", host="a.test").status == 200, 10, "b answers for it")


if __name__ == "__main__":
    harness.main()
