"""Rows of the fault suite: a machine that is short of ports, disk, descriptors or processes, and whose clock jumps."""

import contextlib
import os
import re
import socket
import subprocess
import time
import unittest

import harness
from harness import Daemon, eventually
from rules import fault

FAKETIME = "libfaketimeMT.so.1"


class Machine:
    @fault()
    def port_in_use(self, e):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            s.listen()
            port = s.getsockname()[1]
            e.drop("c", "hello", "http = 127.0.0.1:%d" % port)
            state = e.wait_state("c", "backoff")
            self.assertIn(str(port), state["reason"])
        e.ctl("reload", "c")
        e.wait_up("c")
        self.assertEqual(harness.request(port).status, 200)
        (e.vassals / "c.ini").unlink()
        eventually(lambda: e.state("c") is None)

    @fault()
    def stale_sockets_and_a_file_in_the_way(self, e):
        sockets = self.folder / "sockets"
        sockets.mkdir()
        sockets.chmod(0o777)
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(str(sockets / "stale"))  # closed without unlink: nobody listens
        (sockets / "stale").chmod(0o777)  # as an app's own is to the app's user
        (sockets / "file").write_text("precious")
        e.drop("c", "hello", "socket = %s/stale" % sockets)
        e.wait_up("c")
        e.drop("d", "hello", "socket = %s/file" % sockets)
        state = e.wait_state("d", "backoff")
        self.assertIn("%s/file" % sockets, state["reason"])
        self.assertEqual((sockets / "file").read_text(), "precious")
        for name in "cd":
            (e.vassals / (name + ".ini")).unlink()
        eventually(lambda: e.state("c") is None and e.state("d") is None)

    @unittest.skipUnless(os.getuid() == 0, "mounting a full disk needs root")
    @fault(emperor={"small_disk": True}, extra="processes = 2\nlogto = {disk}/a.log")
    def no_space_for_log_and_database(self, e):
        disk = self.folder / "disk"
        eventually(lambda: self.history(e)["stored"] > 0, what="the database is in use")
        # without a buffer: what is left in one fails once more when the file is closed
        with open(disk / "filler", "wb", buffering=0) as f, contextlib.suppress(OSError):
            while True:
                f.write(b"x" * 65536)
        self.a.more(100)
        self.assertEqual(e.get("a", "/flood?1", timeout=20).status, 200)
        self.assertEqual(e.state("a")["state"], "running")
        e.ctl("reload", "a")
        eventually(lambda: e.ctl("stats", "a")["log_dropped"] > 0, what="lines that found no room are counted")
        failing = eventually(lambda: (lambda h: h if h["failing"] else None)(self.history(e)), 90, "the database says that it fails")
        self.assertIn("full", failing["last_error"])
        (disk / "filler").unlink()
        logged = (disk / "a.log").stat().st_size
        eventually(lambda: (disk / "a.log").stat().st_size > logged, what="the log goes on when there is room again")
        e.ctl("reload", "a")
        self.told(e, "started", "^2 workers")
        eventually(lambda: (lambda h: not h["failing"] and h["stored"] > failing["stored"])(self.history(e)), 90, "the database goes on")

    @fault(emperor={"open_files": 256})
    def too_few_descriptors(self, e):
        names = ["m%02d" % i for i in range(60)]
        for name in names:
            e.drop(name, "hello")

        def settled():
            states = {a["name"]: a for a in e.ctl("status")["apps"]}
            return states if len(states) == 62 and all(a["state"] in ("running", "backoff") for a in states.values()) else None

        states = eventually(settled, 30, "each runs or says why not")
        waiting = [a for a in states.values() if a["state"] == "backoff"]
        self.assertGreater(len(states) - len(waiting), 20)
        self.assertGreater(len(waiting), 10)
        for a in waiting:
            self.assertRegex(a["reason"], r"no descriptors left for it: \d+ of 256 are in use")
        self.assertEqual(e.get(waiting[0]["name"]).status, 503)
        e.ctl("reload", "a")  # those that run can still be replaced
        self.assertEqual(e.state("a")["state"], "running")
        self.forget(e, names)

    @fault(extra="processes = 2\nmax-fd = 256\nkeepalive = 75\nhttp = 127.0.0.1:{port}")
    def too_few_descriptors_in_a_front(self, e):
        port = int(e.state("a")["addresses"].rsplit(":", 1)[1])
        front = e.state("a")["pid"]
        idle = self.crowd(port, 140, b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", b" 200 ")
        self.answered(lambda: harness.request(port, timeout=5), lambda: e.get("a", timeout=5))
        # and when accept() finds none though there should be some; what the gate passes waits for them
        had = self.no_more_descriptors(front)
        self.answered(lambda: harness.request(port, timeout=5))
        self.limit_descriptors(front, had)
        self.told(e, "note", "closed for new ones")
        self.assertGreater(e.ctl("stats", "a")["crowded"], 12)
        self.shown(e, state="running", restarts=0, pid=front)
        for s in idle:
            s.close()

    @fault()
    def too_few_descriptors_in_the_gate(self, e):
        (gate,) = self.titled(e, "^emperor: gate$")
        had = self.no_more_descriptors(gate)
        late = self.crowd(e.port, 3, b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
        time.sleep(0.3)  # they wait at the door, and nothing else happens in the gate
        self.limit_descriptors(gate, had)
        for s in late:
            self.assertIn(b" 200 ", s.recv(65536))
        # those that say nothing, or not enough, make room for those that do
        few = len(os.listdir("/proc/%d/fd" % gate))
        silent = self.crowd(e.port, 10, b"GET / HT") + self.crowd(e.port, 10, b"")
        # the gate has them: of those that still wait at its door each would make room after a second alone
        eventually(lambda: len(os.listdir("/proc/%d/fd" % gate)) >= few + len(silent), 10, "the gate has them")
        had = self.no_more_descriptors(gate)
        self.answered(lambda: e.get("a", timeout=5), lambda: e.get("b", timeout=5))
        self.limit_descriptors(gate, had)
        self.assertEqual(self.titled(e, "^emperor: gate$"), [gate])
        for s in silent:
            s.close()

    def no_more_descriptors(self, pid):
        with open("/proc/%d/limits" % pid) as f:
            had = int(re.search(r"Max open files +(\d+)", f.read()).group(1))
        free = had
        for _ in range(30):  # some come and go
            used = {int(fd) for fd in os.listdir("/proc/%d/fd" % pid)}
            free = min(free, next(fd for fd in range(had) if fd not in used))
        self.limit_descriptors(pid, free)
        return had

    def limit_descriptors(self, pid, n):
        """As its own user: in a container root may not."""
        with open("/proc/%d/status" % pid) as f:
            uid, gid = re.search(r"^Uid:\t(\d+).*\nGid:\t(\d+)", f.read(), re.M).groups()
        argv = ["/usr/bin/prlimit", "--pid", str(pid), "--nofile=%d:" % n]
        if os.getuid() == 0:
            argv = ["/usr/bin/setpriv", "--reuid", uid, "--regid", gid, "--clear-groups", *argv]
        subprocess.run(argv, check=True)

    def crowd(self, port, n, sends, expects=b""):
        """So many clients that keep their connection and say no more."""
        held = []
        for _ in range(n):
            s = socket.create_connection(("127.0.0.1", port), timeout=10 * harness.PATIENCE)
            self.addCleanup(s.close)
            s.sendall(sends)
            if expects:
                self.assertIn(expects, s.recv(65536))
            held.append(s)
        return held

    def answered(self, *ask):
        """New clients get their answer."""
        for _ in range(6):
            for one in ask:
                self.assertEqual(one().status, 200)

    @unittest.skipUnless(os.getuid() == 0, "needs another user")
    @fault()
    def no_more_processes_for_its_user(self, e):
        e.drop("c", "hello", "uid = 64123\ngid = 64123\nprocesses = 4\nlimit-nproc = 2")
        state = e.wait_state("c", "backoff", 30)
        self.assertRegex(state["reason"], r"worker \d could not be forked: fork: Resource temporarily unavailable")
        self.told(e, "note", r"^worker \d could not be forked: fork: Resource temporarily unavailable$", app="c")
        (e.vassals / "c.ini").unlink()
        eventually(lambda: e.state("c") is None)

    @fault(emperor={"faketime": True})
    def the_clock_jumps(self, e):
        for offset in (3600, -3600, 86400 * 400, 0):
            self.move_clock(offset)
            self.a.more(30)
            e.ctl("reload", "a")
            self.assertEqual(e.state("a")["state"], "running")

    # -- how an emperor is started for some of them -----------------------------------------------------------------

    def move_clock(self, seconds):
        temporary = self.folder / "clock.new"
        temporary.write_text("%+d\n" % seconds)
        temporary.rename(self.folder / "clock")

    def emperor(self, small_disk=False, faketime=False, open_files=0):
        env, args = {}, []
        if open_files:
            return self.limited_emperor(open_files)
        if faketime:
            self.move_clock(0)
            env = {"LD_PRELOAD": harness.faketime(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(self.folder / "clock"), "FAKETIME_NO_CACHE": "1",
                   "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1"}
        if small_disk:
            disk = self.folder / "disk"
            disk.mkdir()
            done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0777", "none", str(disk)], capture_output=True)
            if done.returncode != 0:
                self.skipTest("cannot mount a small disk")
            self.addCleanup(subprocess.run, ["umount", "-l", str(disk)])
            args = ["--db", str(disk / "emperor.db")]
        return super().emperor(*args, env=env)

    def limited_emperor(self, open_files):
        """Not as root, who would raise its limit."""
        before = ["/usr/bin/prlimit", "--nofile=%d:%d" % (open_files, open_files)]
        if os.getuid() == 0:
            before = ["/usr/bin/setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", *before]
            (self.folder / "vassals.d").mkdir()
            for folder in (self.folder, self.folder / "vassals.d"):
                os.chown(folder, 65534, 65534)
        start = Daemon.__init__
        try:
            Daemon.__init__ = lambda self, folder, name, argv, env=None: start(self, folder, name, [*before, *argv], env)
            return super().emperor()
        finally:
            Daemon.__init__ = start
