"""The fault suite: a table of faults, one load, one set of rules.

Each fault happens to app "a" (or to a part that all share) while clients load "a" and its neighbour "b" and check every
answer. The table says what the clients of "a" may see besides good answers, and how often; the neighbour's clients may see
nothing else, unless it says so too. "silent" (closed without an answer) is allowed only to clients of a killed front or gate,
"cut" also to those of a killed worker. Afterwards everything serves again, and there are as many processes, descriptors,
shared memory files and files in the run directory as before.

    scripts/fault [NAME ...]      all of it, about ten minutes: EMPEROR_FAULT=full
    ctest -R fault                the short form
"""

import contextlib
import datetime
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

import harness
from harness import APPS, BIN, Case, Daemon, Emperor, descendants, eventually, free_port, title
from load import Load

FULL = os.environ.get("EMPEROR_FAULT") == "full"
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
ANY = 10**9
GONE = {"silent": ANY, "cut": ANY, 503: ANY, "ConnectionRefusedError": 0}  # clients of a killed front
SEED = int(os.environ.get("EMPEROR_FAULT_SEED", "7"))


def span(short, full):
    return full if FULL else short


def fault(a=None, b=None, extra="processes = 2", leaks=True, **more):
    """A row of the table: what clients of a and b may see (status -> how often), a's options, whether leaks are looked for."""

    def mark(fn):
        fn.fault = dict(a=a or {}, b=b or {}, extra=extra, leaks=leaks, **more)
        return fn

    return mark


class World:
    """What must be the same before and after."""

    def __init__(self, e):
        self.e = e

    def kinds(self):
        names = (re.sub(r"worker \d+", "worker", title(p)) for p in descendants(self.e.process.pid))
        return sorted(n for n in names if n)

    def descriptors(self):
        """Of those that live as long as the emperor; of fronts, by app: they may be others by now."""
        found = {"emperor": len(os.listdir("/proc/%d/fd" % self.e.process.pid))}
        for pid in descendants(self.e.process.pid):
            name = title(pid)
            if re.match(r"emperor: ", name):
                with contextlib.suppress(OSError):
                    found[name] = len(os.listdir("/proc/%d/fd" % pid))
        return found

    def files(self):
        return sorted(str(p.relative_to(self.e.run_dir)) for p in self.e.run_dir.rglob("*")), sorted(n for n in os.listdir("/dev/shm") if "faketime" not in n)

    def now(self):
        return self.kinds(), self.descriptors(), self.files()


class Suite(Case):
    def setUp(self):
        super().setUp()
        self.chance = random.Random(SEED)

    def titled(self, e, pattern):
        return [p for p in descendants(e.process.pid) if re.search(pattern, title(p))]

    def hit(self, e, pattern, sig=signal.SIGKILL):
        """One of them, whichever it is. True if there was one."""
        pids = self.titled(e, pattern)
        with contextlib.suppress(ProcessLookupError, IndexError):
            os.kill(self.chance.choice(pids), sig)
            return True
        return False

    def successor(self, e):
        """Another emperor in the place of e, with the same folders and port."""
        fresh = Emperor.__new__(Emperor)
        fresh.__dict__.update(folder=e.folder, vassals=e.vassals, run_dir=e.run_dir, db=e.db, port=e.port)
        argv = [BIN / "emperor", "--vassals", e.vassals, "--run-dir", e.run_dir, "--db", e.db,
                "--http", "127.0.0.1:%d" % e.port]
        Daemon.__init__(fresh, e.folder, "emperor-%d" % time.monotonic_ns(), argv)
        self.daemon(fresh)
        eventually(lambda: not fresh.alive() or fresh.ctl_text("version").returncode == 0, 10, "the successor")
        return fresh

    def run_fault(self, fn):
        row = fn.fault
        e = self.emperor(**row.get("emperor", {}))
        e.drop("a", "hostile", row["extra"].replace("{disk}", str(self.folder / "disk")))
        e.drop("b", "hostile", "processes = 2")
        for app in "ab":
            e.wait_up(app)
        self.world = World(e)
        eventually(lambda: len(self.titled(e, "^emperor: stats")) == 1)
        before = self.world.now()
        body = b"ok"
        with Load(e.port, ["a.test"], 2, body=body) as self.a, Load(e.port, ["a.test"], 1, keep=False, body=body) as self.a1, \
                Load(e.port, ["b.test"], 1, body=b"ok") as self.b, Load(e.port, ["b.test"], 1, keep=False, body=b"ok") as self.b1:
            self.b.more(10)
            e = fn(self, e) or e
            self.world.e = e
            for load in (self.b, self.b1, *(() if row.get("ends_down") else (self.a, self.a1))):
                load.more(5, 30)
        self.judge(row)
        if row["leaks"]:
            self.look_for_leaks(before)

    def judge(self, row):
        for app, loads in (("a", (self.a, self.a1)), ("b", (self.b, self.b1))):
            total = sum((load.seen for load in loads), type(self.a.seen)())
            allowed = row[app](self) if callable(row[app]) else row[app]
            beyond = {k: n for k, n in total.items() if k != 200 and n > allowed.get(k, 0)}
            self.assertEqual(beyond, {}, "clients of %s saw this, and not only %s" % (app, allowed))

    def look_for_leaks(self, before):
        def same():
            self.after = self.world.now()
            return self.after[0] == before[0] and self.after[2] == before[2] and all(
                self.after[1].get(k, ANY) <= n for k, n in before[1].items())

        try:
            eventually(same, 15, "as before")
        except AssertionError:
            self.assertEqual(self.after, before)
            raise


def hits(test):
    return {502: test.hits, "cut": test.hits}


class Faults(Suite):
    # -- killed ---------------------------------------------------------------------------------------------

    @fault(a=hits)
    def worker_killed(self, e):
        self.hits = 0
        for _ in range(span(6, 120)):
            self.hits += self.hit(e, "^a worker")
            time.sleep(0.25)

    @fault(a=hits)
    def worker_crashes(self, e):
        self.hits = 0
        for n in range(span(4, 40)):
            path = ("/segfault", "/abort", "/os_exit", "/own_signal?9")[n % 4]
            self.assertEqual(e.get("a", path, timeout=20).status, 502)

    @fault()
    def mold_killed(self, e):
        for _ in range(span(4, 60)):
            self.hit(e, "^a mold")
            time.sleep(0.25)

    @fault(a=GONE)
    def front_killed(self, e):
        for _ in range(span(1, 5)):  # the back-off doubles each time, up to a minute
            self.hit(e, "^vassal: a$")
            e.wait_up("a", seconds=40)

    @fault(a={"silent": ANY, "cut": ANY}, b={"silent": ANY, "cut": ANY})
    def gate_killed(self, e):
        for _ in range(span(2, 20)):
            gone = self.titled(e, "^emperor: gate$")
            self.hit(e, "^emperor: gate$")
            eventually(lambda: (lambda now: now and now != gone)(self.titled(e, "^emperor: gate$")), what="another gate")
            self.b1.more(5)

    @fault()
    def stats_killed(self, e):
        for _ in range(span(2, 20)):
            gone = self.titled(e, "^emperor: stats$")
            self.hit(e, "^emperor: stats$")
            eventually(lambda: (lambda now: now and now != gone)(self.titled(e, "^emperor: stats$")), what="other stats")

    @fault(leaks=False)
    def emperor_killed(self, e):
        for _ in range(span(2, 10)):
            fronts = sorted(p for p in e.strays() if title(p).startswith("vassal: "))
            e.process.kill()
            e.process.wait()
            self.b.more(5)
            e = self.successor(e)
            for app in "ab":
                e.wait_state(app, "running")
            self.assertEqual(sorted(e.state(app)["pid"] for app in "ab"), fronts)
        return e

    # -- stopped and continued: late, but not lost -----------------------------------------------------------

    @fault()
    def each_stopped(self, e):
        for pattern in ("^a worker", "^a mold", "^vassal: a$", "^emperor: gate$", "^emperor: stats$") * span(1, 10):
            for pid in self.titled(e, pattern)[:1]:
                os.kill(pid, signal.SIGSTOP)
                time.sleep(0.3)
                os.kill(pid, signal.SIGCONT)

    @fault(a=lambda t: {**GONE, 502: ANY}, b={"silent": ANY, "cut": ANY})
    def anything_killed_or_stopped_at_random(self, e):
        ends = time.monotonic() + span(3, 60)
        while time.monotonic() < ends:
            pid = self.chance.choice(self.titled(e, "^(a worker|a mold|vassal: a$|emperor: (gate|stats)$)") or [0])
            if pid:
                stop = self.chance.random() < 0.5
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP if stop else signal.SIGKILL)
                    time.sleep(self.chance.uniform(0.05, 0.4))
                    if stop:
                        os.kill(pid, signal.SIGCONT)
        e.wait_up("a", seconds=span(40, 90))  # the longest back-off is a minute
        e.wait_up("b", seconds=40)

    # -- the app ------------------------------------------------------------------------------------------------

    @fault(extra="processes = 2\nlimit-as = 600")
    def out_of_memory(self, e):
        for path, status in (("/memory", 500), ("/own_signal?9", 502)) * span(1, 5):
            self.assertEqual(e.get("a", path, timeout=20).status, status)

    @fault(extra="processes = 3\nharakiri = 1", a={503: 0})
    def stuck_requests(self, e):
        for path in ("/spin", "/backtrack", "/deadlock", "/deaf", "/stop_self", "/stubborn")[: span(3, 6)]:
            self.assertEqual(e.get("a", path, timeout=20).status, 504, path)

    @fault()
    def sys_exit_in_a_request(self, e):
        for _ in range(span(5, 100)):
            self.assertEqual(e.get("a", "/sys_exit").status, 500)

    @fault()
    def broken_then_mended_deploys(self, e):
        good = (e.vassals / "a.ini").read_text()
        broken = {"module = no_such_module": "no_such_module", "harakiri = 5x": "5x", "module = broken_exit": "SystemExit"}
        code = self.module("broken_exit", "import sys\nsys.exit(3)\n")
        for line, says in list(broken.items()) * span(1, 5):
            generation = e.state("a")["generation"]
            e.write("a", good + "pythonpath = %s\n%s\n" % (code, line))
            state = eventually(lambda: (lambda s: s if says in s["last_error"] else None)(e.state("a")), 15, "%s is shown" % says)
            self.assertEqual(state["state"], "running")
            e.write("a", good + "env = N=%d\n" % self.chance.getrandbits(30))
            eventually(lambda: e.state("a")["generation"] > generation and not e.state("a")["last_error"], 15, "mended")

    @fault()
    def an_import_that_takes_long(self, e):
        seconds = span(1.5, 60)
        good = (e.vassals / "a.ini").read_text()
        generation = e.state("a")["generation"]
        self.module("slow_hostile", "import time\ntime.sleep(%g)\nfrom hostile import application\n" % seconds)
        e.write("a", good.replace("hostile", "slow_hostile") + "pythonpath = %s\n" % (self.folder / "code"))
        e.wait_state("a", "replacing")
        eventually(lambda: e.state("a")["state"] == "running" and e.state("a")["generation"] > generation, seconds + 15, "swapped")

    def module(self, name, text):
        code = self.folder / "code"
        code.mkdir(exist_ok=True)
        code.chmod(0o755)
        (code / (name + ".py")).write_text(text)
        return code

    # -- changes ------------------------------------------------------------------------------------------------

    @fault()
    def reload_storm(self, e):
        for _ in range(span(75, 1500)):
            os.utime(e.vassals / "a.ini")
            time.sleep(0.02)
        eventually(lambda: e.state("a")["state"] == "running", 15, "at rest")

    @fault()
    def ini_flapping(self, e):
        for n in range(span(20, 300)):
            path = e.drop("c", "hello" if n % 3 else "no_such_module")
            time.sleep(self.chance.uniform(0, 0.2))
            path.unlink()
            time.sleep(self.chance.uniform(0, 0.1))
        eventually(lambda: e.state("c") is None, 15, "c is forgotten")

    @fault()
    def very_many_inis_at_once(self, e):
        n, good = span(150, 1000), span(3, 20)
        names = ["m%04d" % i for i in range(n)]
        for i, name in enumerate(names):
            e.drop(name, "hello", "" if i < good else "harakiri = 5x")
        for name in names[:good]:
            e.wait_up(name, seconds=60)
        rows = eventually(lambda: (lambda r: r if len(r) == n + 2 else None)({a["name"]: a for a in e.ctl("status")["apps"]}), 30)
        eventually(lambda: e.state(names[-1])["state"] == "backoff", 60)
        for name in names[good:]:
            self.assertIn(rows[name]["state"], ("backoff", "starting"))
        for name in names:
            (e.vassals / (name + ".ini")).unlink()
        eventually(lambda: len(e.ctl("status")["apps"]) == 2, 60, "all are forgotten")

    # -- the machine ----------------------------------------------------------------------------------------------

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
        with open(disk / "filler", "wb") as f, contextlib.suppress(OSError):
            while True:
                f.write(b"x" * 65536)
                f.flush()
        self.a.more(100)
        self.assertEqual(e.get("a", "/flood?1", timeout=20).status, 200)
        self.assertEqual(e.state("a")["state"], "running")
        e.ctl("reload", "a")
        (disk / "filler").unlink()
        logged = (disk / "a.log").stat().st_size
        eventually(lambda: (disk / "a.log").stat().st_size > logged, what="the log goes on when there is room again")

    @fault(emperor={"open_files": 256}, leaks=False)
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

    @unittest.skipUnless(os.getuid() == 0, "needs another user")
    @fault()
    def no_more_processes_for_its_user(self, e):
        e.drop("c", "hello", "uid = 64123\ngid = 64123\nprocesses = 4\nlimit-nproc = 2")
        state = e.wait_state("c", "backoff", 30)
        self.assertRegex(state["reason"] + state["last_error"], "(?i)fork|resource|process|worker|thread")
        (e.vassals / "c.ini").unlink()
        eventually(lambda: e.state("c") is None)

    @unittest.skipUnless(os.path.exists(FAKETIME), "needs libfaketime")
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
            env = {"LD_PRELOAD": FAKETIME, "FAKETIME_TIMESTAMP_FILE": str(self.folder / "clock"), "FAKETIME_NO_CACHE": "1",
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


def as_test(fn):
    def test(self):
        self.run_fault(fn)

    test.__name__ = "test_" + fn.__name__
    test.__doc__ = None
    if getattr(fn, "__unittest_skip__", False):
        return unittest.skip(fn.__unittest_skip_why__)(test)
    return test


for _name, _fn in list(vars(Faults).items()):
    if hasattr(_fn, "fault"):
        setattr(Faults, "test_" + _name, as_test(_fn))


if __name__ == "__main__":
    unittest.main(verbosity=2)
