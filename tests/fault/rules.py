"""What the fault suite measures and judges by: two apps under load, what their clients may see, and what must be as before.

A row of the table is a method marked with @fault. Its rules say what clients of "a" and "b" may see besides good answers:
a kind, or several together, and how often. WHILE_DOWN allows a kind only at times when the log says that the app is down,
which may not be longer than the back-off that it names and START_S.
"""

import calendar
import collections
import contextlib
import json
import os
import random
import re
import signal
import socket
import time

import harness
from harness import BIN, Case, Daemon, Emperor, eventually, open_files, title
from load import Load

FULL = os.environ.get("EMPEROR_FAULT") == "full"
SEED = int(os.environ.get("EMPEROR_FAULT_SEED", "7"))
WHILE_DOWN = "while it is down"
START_S = 5 * harness.PATIENCE  # from the end of a back-off until it serves, on a machine that is busy
ANSWER_S = 0.5 * harness.PATIENCE  # from the emperor's log until a client has read its answer
CLIENTS_A, CLOSING = 3, 1  # of a; those of an app whose connection is new with each request


def span(short, full):
    return full if FULL else short


def fault(a=None, b=None, kept_a=None, kept_b=None, extra="processes = 2", **more):
    """Rules (or a function of the test that returns them) for all clients of a and b, and for those that keep their
    connection; a's options; how the emperor is started; ends_down: a does not serve in the end."""

    def mark(fn):
        fn.fault = dict(a=a or {}, b=b or {}, kept_a=kept_a, kept_b=kept_b, extra=extra, **more)
        return fn

    return mark


def hits(test):
    """A killed worker costs the request in its hand, and no more than that."""
    return {(502, "cut"): test.hits}


class World:
    """What must be the same before and after."""

    def __init__(self, e):
        self.e = e

    def kinds(self):
        names = (re.sub(r"worker \d+", "worker", title(p)) for p in self.e.strays())
        return sorted(n for n in names if n)

    def held(self, pid):
        """Descriptors (of processes apart: an emperor has one for each that it did not start itself) and shared memory in KB."""
        kinds = collections.Counter()
        for name in open_files(pid):
            kinds["pidfds" if "[pidfd]" in name else "descriptors"] += 1
        with open("/proc/%d/maps" % pid) as f:
            for line in f:
                span_of, rights = line.split()[:2]
                if rights[3] == "s":
                    begin, end = (int(x, 16) for x in span_of.split("-"))
                    kinds["shared"] += (end - begin) >> 10
        return kinds

    def holdings(self):
        """Of the emperor, its roles and each front, by name: they may be others by now."""
        found = {}
        for pid in [self.e.process.pid, *self.e.strays()]:
            name = "emperor" if pid == self.e.process.pid else title(pid)
            if re.match(r"emperor$|emperor: |vassal: ", name):
                with contextlib.suppress(OSError):
                    for kind, n in self.held(pid).items():
                        found[name, kind] = n
        found["emperor", "pidfds"] = max(found.get(("emperor", "pidfds"), 0), len([1 for name, kind in found if kind == "descriptors"]) - 1)
        return found

    def files(self):
        return (sorted(str(p.relative_to(self.e.run_dir)) for p in self.e.run_dir.rglob("*")),
                sorted(n for n in os.listdir("/dev/shm") if "faketime" not in n))

    def now(self):
        return self.kinds(), self.holdings(), self.files()

    def at_rest(self):
        seen = self.now()
        while True:
            time.sleep(0.4)
            again = self.now()
            if again == seen:
                return again
            seen = again


def beyond(seen, allowed):
    """What was seen more often than a rule allows, or is not mentioned."""
    over, known = {}, {200}
    for kinds, most in allowed.items():
        kinds = kinds if isinstance(kinds, tuple) else (kinds,)
        known.update(kinds)
        n = sum(seen[k] for k in kinds)
        if most != WHILE_DOWN and n > most:
            over[kinds] = n
    over.update({k: n for k, n in seen.items() if k not in known})
    return over


class Suite(Case):
    def setUp(self):
        super().setUp()
        self.chance = random.Random(SEED)
        self.hits = 0

    def titled(self, e, pattern):
        return [p for p in e.strays() if re.search(pattern, title(p))]

    def hit(self, e, pattern):
        """Kills one of them, whichever it is. True if there was one."""
        with contextlib.suppress(ProcessLookupError, IndexError):
            os.kill(self.chance.choice(self.titled(e, pattern)), signal.SIGKILL)
            return True
        return False

    def replaced(self, e, name):
        """Kills a role; another takes its place."""
        pattern = "^emperor: %s$" % name
        gone = eventually(lambda: self.titled(e, pattern), what="a " + name)
        self.assertTrue(self.hit(e, pattern))
        return lambda: eventually(lambda: [p for p in self.titled(e, pattern) if p not in gone], 15, "another " + name)

    def successor(self, e):
        """Another emperor in the place of e, which was killed, with the same folders and port."""
        e.process.kill()
        e.process.wait()
        fresh = Emperor.__new__(Emperor)
        fresh.__dict__.update(folder=e.folder, vassals=e.vassals, run_dir=e.run_dir, db=e.db, port=e.port)
        argv = [BIN / "emperor", "--vassals", e.vassals, "--run-dir", e.run_dir, "--db", e.db,
                "--http", "127.0.0.1:%d" % e.port]
        Daemon.__init__(fresh, e.folder, "emperor-%d" % time.monotonic_ns(), argv)
        self.daemon(fresh)
        eventually(lambda: not fresh.alive() or fresh.ctl_text("version").returncode == 0, 10, "the successor")
        self.assertTrue(fresh.alive(), fresh.output()[-4000:])
        return fresh

    # -- what operators see ---------------------------------------------------------------------------------------

    def log(self):
        """Of all emperors there were."""
        return "".join(d.output() for d in self.daemons)

    def said(self, pattern, times=1, seconds=10, more=False):
        """The log has it so often, no more unless that may be."""
        found = eventually(lambda: (lambda f: f if len(f) >= times else None)(re.findall(pattern, self.log(), re.M)), seconds,
                           "%d times in the log: %s" % (times, pattern))
        self.assertTrue(more or len(found) == times, "%d and not %d times in the log: %s" % (len(found), times, pattern))
        return found

    def counted(self, e, app="a", **want):
        """emperorctl stats shows these figures."""
        def now():
            stats = e.ctl("stats", app)
            self.figures = {k: stats[k] for k in want}
            return self.figures == want

        try:
            eventually(now)
        except AssertionError:
            self.assertEqual(self.figures, want)

    def shown(self, e, app="a", **want):
        """emperorctl status shows this; texts are patterns."""
        def now():
            self.row = e.state(app)
            return all(re.search(v, self.row[k]) if isinstance(v, str) else self.row[k] == v for k, v in want.items())

        try:
            eventually(now)
        except AssertionError:
            self.assertEqual({k: self.row[k] for k in want}, want)

    def told(self, e, kind, pattern, times=1, app="a"):
        """emperorctl events has it, so often at least (of an app 60 a minute are kept)."""
        def found():
            return [x for x in e.ctl("events", app, "-n", "1000")["events"] if x["kind"] == kind and re.search(pattern, x["text"])]

        return eventually(lambda: (lambda f: f if len(f) >= times else None)(found()), 15, "%d events %s: %s" % (times, kind, pattern))

    def blamed(self, e, kind, request, times=1, app="a"):
        """emperorctl blame has it, so often at least (of an app 32 a minute are kept)."""
        def found():
            return [x for x in e.ctl("blame", app, "100")["blames"] if x["kind"] == kind and re.fullmatch(request, x["request"])]

        return eventually(lambda: (lambda f: f if len(f) >= times else None)(found()), 15, "%d times on record: %s %s" % (times, kind, request))

    def history(self, e):
        """The emperor's own page says how its database does."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10 * harness.PATIENCE)
            s.connect(str(e.run_dir / "stats.sock"))
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            page = b"".join(iter(lambda: s.recv(65536), b""))
        return json.loads(page.split(b"\r\n\r\n", 1)[1])["history"]

    def outages(self, app):
        """From each failure until a generation serves, as the log tells them: (from, until, back-off)."""
        found, open_at, wait = [], None, 0.0
        for line in sorted(re.findall(r"^(\d{4}-.* emperor: %s: .*)$" % app, self.log(), re.M)):
            at = calendar.timegm(time.strptime(line[:19], "%Y-%m-%dT%H:%M:%S")) + float(line[19:23])
            if failure := re.search(r"failure \d+ in a row, next try in ([0-9.]+) s", line):
                if open_at is not None:
                    found.append((open_at, at, wait))
                open_at, wait = at, float(failure.group(1))
            elif open_at is not None and re.search(r"generation \d+ serves", line):
                found.append((open_at, at, wait))
                open_at = None
        return found if open_at is None else [*found, (open_at, float("inf"), wait)]

    # -- a fault and its verdict ----------------------------------------------------------------------------------

    def run_fault(self, fn):
        row = fn.fault
        e = self.emperor(**row.get("emperor", {}))
        e.drop("a", "hostile", row["extra"].replace("{disk}", str(self.folder / "disk")).replace("{port}", str(harness.free_port())))
        e.drop("b", "hostile", "processes = 2")
        for app in "ab":
            e.wait_up(app)
        self.world = World(e)
        eventually(lambda: len(self.titled(e, "^emperor: (stats|gate|keeper)$")) == 3, what="all roles")
        self.before = self.world.at_rest()
        load = lambda app, n, **kw: Load(e.port, [app + ".test"], n, body=b"ok", **kw)
        with load("a", CLIENTS_A - CLOSING) as self.a, load("a", CLOSING, keep=False) as self.a1, \
                load("b", 1) as self.b, load("b", CLOSING, keep=False) as self.b1:
            for each in (self.a, self.a1, self.b, self.b1):
                each.more(10)
            e = fn(self, e) or e
            self.world.e = e
            for each in (self.b, self.b1, *(() if row.get("ends_down") else (self.a, self.a1))):
                each.more(5, 30)
        self.judge(row)
        self.look_for_leaks()

    def judge(self, row):
        for app, kept, closing in (("a", self.a, self.a1), ("b", self.b, self.b1)):
            for name, who, seen in ((app, "clients", kept.seen + closing.seen), ("kept_" + app, "kept connections", kept.seen)):
                allowed = row[name](self) if callable(row[name]) else row[name]
                if allowed is not None:
                    self.assertEqual(beyond(seen, allowed), {}, "%s of %s saw this, and not only %s: %s" % (who, app, allowed, dict(seen)))
            rules = row[app](self) if callable(row[app]) else row[app]
            self.judge_times(app, kept.odd + closing.odd, [kind for kind, most in rules.items() if most == WHILE_DOWN])

    def judge_times(self, app, odd, kinds):
        if not kinds:
            return
        outages = self.outages(app)
        for begin, end, wait in outages:
            self.assertLess(end - begin, wait + START_S, "%s was down for longer than it was said" % app)
        late = [(at, kind) for at, kind in odd if kind in kinds and not any(
            begin - 0.01 <= at <= end + ANSWER_S for begin, end, _ in outages)]
        self.assertEqual(late, [], "clients of %s saw this while it was not down: %s" % (app, outages))

    def look_for_leaks(self):
        def same():
            self.after = self.world.now()
            return self.after[0] == self.before[0] and self.after[2] == self.before[2] and all(
                self.after[1].get(k, n + 1) <= n for k, n in self.before[1].items())

        try:
            eventually(same, 15, "as before")
        except AssertionError:
            grown = {k: (n, self.after[1].get(k)) for k, n in self.before[1].items() if self.after[1].get(k, n + 1) > n}
            self.assertEqual((grown, self.after[0], self.after[2]), ({}, self.before[0], self.before[2]))
            raise
