"""Rows of the fault suite: each kind of process killed, or stopped and continued, under load."""

import collections
import contextlib
import os
import signal
import time

from harness import eventually, title
from rules import CLIENTS_A, CLOSING, WHILE_DOWN, fault, hits, span

# Of a killed front each client loses at most the connection that it holds; of a killed gate only who is not with an app yet.
FRONT = lambda t: {("silent", "cut"): t.kills["front"] * CLIENTS_A, 503: WHILE_DOWN}
GATE = lambda t: {"silent": t.kills["gate"] * CLOSING}


def anything(t):
    """What all kills together may cost clients of a."""
    front, gate, worker = t.kills["front"] * CLIENTS_A, t.kills["gate"] * CLIENTS_A, t.kills["worker"]
    return {"silent": front + gate, 502: worker, ("cut", 502): front + worker, ("silent", "cut", 502): front + gate + worker, 503: WHILE_DOWN}


class Killed:
    def setUp(self):
        super().setUp()
        self.kills = collections.Counter()

    @fault(a=hits)
    def worker_killed(self, e):
        for _ in range(span(6, 120)):
            self.hits += self.hit(e, "^a worker")
            time.sleep(0.25)
        self.said(r"^a: .* worker \d+ died.*: killed by signal 9 \(Killed\); not by us", self.hits)
        self.counted(e, crashed=self.hits, killed=0)
        self.told(e, "crashed", r"worker \d+ died.*: killed by signal 9", min(self.hits, 20))
        self.shown(e, state="running", restarts=0, reason="^$", generation=1, alive=2)

    @fault()
    def mold_killed(self, e):
        killed = 0
        for _ in range(span(4, 6)):  # the back-off doubles each time: an import may cost much
            mold = eventually(lambda: self.titled(e, "^a mold$"), what="a mold")
            killed += self.hit(e, "^a mold$")
            eventually(lambda: self.titled(e, "^a mold$") not in ([], mold), 40, "another mold")
        self.said(r"^a: .* the mold died \(killed by signal 9 \(Killed\)\); workers go on, another is made$", killed)
        self.told(e, "note", "^the mold died", min(killed, 4))
        self.told(e, "note", "^a new mold is ready")
        self.counted(e, crashed=0, killed=0, worker_deaths=0)
        self.shown(e, state="running", restarts=0, reason="^$", generation=1, alive=2)

    @fault(a=FRONT)
    def front_killed(self, e):
        for n in range(1, span(2, 5) + 1):  # the back-off doubles each time, up to a minute
            self.kills["front"] += self.hit(e, "^vassal: a$")
            if n > 2:  # at once, then half a second: too short to be sure to see it
                self.shown(e, state="backoff", reason=r"^its front was lost after \d+ s: killed by signal 9 \(Killed\)$",
                           failures=n, restarts=n, pid=0)
                self.assertGreater(self.row["next_try"], 0)
            e.wait_up("a", seconds=40)
            self.shown(e, state="running", reason="^$", generation=n + 1, restarts=n)
        self.assertEqual(self.kills["front"], n)
        self.told(e, "failed", "^its front was lost", n)
        self.told(e, "backoff", r"^failure %d in a row, next try in [0-9.]+ s$" % n)
        self.told(e, "started", "^2 workers", n + 1)
        self.assertEqual(len(self.outages("a")), n - 1)  # the first time it is back at once: nobody is refused

    @fault(a=GATE, b=GATE, kept_a={}, kept_b={})
    def gate_killed(self, e):
        apps = {app: e.state(app) for app in "ab"}
        for n in range(1, span(2, 20) + 1):
            again = self.replaced(e, "gate")
            self.kills["gate"] += 1
            again()
            self.b1.more(5)
            self.a1.more(5)
            self.said(r" error emperor: gate: killed by signal 9 \(Killed\)$", n)
        for app in "ab":
            self.shown(e, app, state="running", restarts=0, pid=apps[app]["pid"], generation=1)

    @fault()
    def stats_killed(self, e):
        for n in range(1, span(2, 8) + 1):
            again = self.replaced(e, "stats")
            # what happens meanwhile is on record once there is somebody who records
            self.assertEqual(e.get("a", "/segfault?%d" % n).status, 502)
            self.shown(e, state="running")
            again()
            self.said(r" error emperor: stats: killed by signal 9 \(Killed\)$", n)
            self.blamed(e, "crashed", "GET /segfault.%d" % n)
        self.counted(e, crashed=n, worker_deaths=n, fused=0)
        self.told(e, "crashed", "Segmentation fault", n)
        self.shown(e, state="running", restarts=0, generation=1)

    @fault()
    def keeper_killed(self, e):
        for n in range(1, span(2, 10) + 1):
            again = self.replaced(e, "keeper")
            self.b.more(5)
            again()
            self.said(r" error emperor: keeper: killed by signal 9 \(Killed\)$", n)
        e = self.take_over(e)
        for app in "ab":
            self.shown(e, app, state="running", restarts=0, generation=1)
        return e

    def take_over(self, e):
        """The emperor is killed; the next one has the same fronts, for the keeper knows everything."""
        def keeper_holds():
            return sum(sum(self.world.held(p).values()) for p in self.titled(e, "^emperor: keeper$"))

        eventually(lambda: keeper_holds() >= sum(n for (name, _), n in self.before[1].items() if name == "emperor: keeper"),
                   what="the keeper was told everything")
        fronts = sorted(p for p in e.strays() if title(p).startswith("vassal: "))
        e.process.kill()
        e.process.wait()
        self.b.more(5)
        e = self.successor(e)
        for app in "ab":
            e.wait_state(app, "running")
        self.assertEqual(sorted(e.state(app)["pid"] for app in "ab"), fronts)
        return e

    @fault()
    def emperor_killed(self, e):
        for _ in range(span(2, 10)):
            e = self.take_over(e)
        for app in "ab":
            self.shown(e, app, state="running", restarts=0, generation=1, reason="^$")
        return e

    # -- stopped and continued: late, but not lost -----------------------------------------------------------

    @fault()
    def each_stopped(self, e):
        for pattern in ("^a worker", "^a mold", "^vassal: a$", "^emperor: gate$", "^emperor: stats$", "^emperor: keeper$", None) * span(1, 10):
            for pid in self.titled(e, pattern)[:1] if pattern else [e.process.pid]:
                os.kill(pid, signal.SIGSTOP)
                time.sleep(0.3)
                os.kill(pid, signal.SIGCONT)
        self.counted(e, crashed=0, killed=0, timeouts=0)
        self.shown(e, state="running", restarts=0, generation=1)

    @fault(a=anything, b=GATE, kept_b={})
    def anything_killed_or_stopped_at_random(self, e):
        ends = time.monotonic() + span(4, 60)
        while time.monotonic() < ends:
            e = self.strike(e)
        e.wait_up("a", seconds=90)  # the longest back-off is a minute
        e.wait_up("b", seconds=40)
        eventually(lambda: len(self.titled(e, "^emperor: (stats|gate|keeper)$")) == 3, 15, "all roles")
        self.shown(e, "b", state="running", restarts=0, generation=1)
        self.shown(e, state="running")
        print(dict(self.kills), end=" ", flush=True)
        return e

    def strike(self, e):
        pids = self.titled(e, "^(a worker|a mold|vassal: a$|emperor: (gate|stats|keeper)$)")
        pid = self.chance.choice([*pids, e.process.pid])
        name = title(pid).replace("vassal: a", "front").replace("emperor: ", "") if pid != e.process.pid else "emperor"
        kind = next((k for k in ("worker", "mold") if k in name), name)
        if self.chance.random() < 0.5:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                time.sleep(self.chance.uniform(0.05, 0.4))
                os.kill(pid, signal.SIGCONT)
            return e
        self.kills[kind] += 1
        if kind == "emperor":
            return self.succeed(e)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        time.sleep(self.chance.uniform(0.05, 0.4))
        return e

    def succeed(self, e):
        """Emperor and keeper at once is another fault: then everything begins anew."""
        eventually(lambda: self.titled(e, "^emperor: keeper$"), what="a keeper")
        time.sleep(0.2)
        return self.successor(e)
