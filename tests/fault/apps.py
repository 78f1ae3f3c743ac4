"""Rows of the fault suite: apps that crash, hang, hoard or cannot be imported, and floods of changes."""

import os
import time

from harness import eventually
from rules import fault, span


class Apps:
    @fault()
    def worker_crashes(self, e):
        # first: of an app's events no more than 60 a minute are kept
        self.assertEqual([e.get("a", "/segfault").status for _ in range(3)], [502, 502, 503])
        self.told(e, "fused", "GET /segfault killed 2 workers")
        self.counted(e, crashed=2, worker_deaths=2, fused=1)
        n = span(4, 40)
        for i in range(n):
            # each of its own, for the same one would be fused
            path = ("/segfault?%d" % i, "/abort?%d" % i, "/os_exit?%d" % i, "/own_signal?" + "9".zfill(i + 1))[i % 4]
            self.assertEqual(e.get("a", path, timeout=20).status, 502, path)
        self.counted(e, crashed=n + 2, worker_deaths=n + 2, fused=1)
        for path, signal in (("/segfault", 11), ("/abort", 6), ("/os_exit", 0), ("/own_signal", 9)):
            for record in self.blamed(e, "crashed", r"GET %s\?\d+" % path, min(n, 20) // 4):
                self.assertEqual((record["status"], record["signal"]), (502, signal), path)
        self.shown(e, state="running", restarts=0, generation=1, reason="^$", errors_5xx=n + 3, alive=2)

    @fault(extra="processes = 2\nlimit-as = 600")
    def out_of_memory(self, e):
        n = span(1, 5)
        for i in range(n):
            self.assertEqual(e.get("a", "/hoard?4", timeout=20).status, 500)
            # how the kernel ends who takes too much
            self.assertEqual(e.get("a", "/own_signal?" + "9".zfill(i + 1), timeout=20).status, 502)
        self.said("^a: MemoryError$", n)
        self.counted(e, exceptions=n, crashed=n, worker_deaths=n)
        self.told(e, "crashed", r"killed by signal 9 \(Killed\); not by us: the kernel, short of memory, or an operator", n)
        self.assertEqual({b["signal"] for b in self.blamed(e, "crashed", r"GET /own_signal\?0*9", n)}, {9})
        self.shown(e, state="running", restarts=0, generation=1, exceptions=n, errors_5xx=2 * n)

    @fault(extra="processes = 3\nharakiri = 1")
    def stuck_requests(self, e):
        paths = ("/spin", "/backtrack", "/deadlock", "/deaf", "/stop_self", "/stubborn")[: span(3, 6)]
        for path in paths:
            self.assertEqual(e.get("a", path, timeout=20).status, 504, path)
        for path in paths:
            (record,) = self.blamed(e, "timeout", "GET " + path)
            self.assertEqual(record["status"], 504)
            self.assertIn("harakiri", record["reason"])
        self.counted(e, timeouts=len(paths), killed=len(paths), crashed=0)
        self.told(e, "killed", "harakiri", len(paths))
        self.shown(e, state="running", restarts=0, generation=1, alive=3)

    @fault()
    def sys_exit_in_a_request(self, e):
        n = span(5, 100)
        for _ in range(n):
            self.assertEqual(e.get("a", "/sys_exit").status, 500)
        self.counted(e, exceptions=n, crashed=0, killed=0, worker_deaths=0)
        self.said("^a: SystemExit: 3$", n)
        self.said(r"^a: .* worker \d+ left of its own will: the app called sys\.exit\(\)$", n)
        self.shown(e, state="running", restarts=0, generation=1, exceptions=n, errors_5xx=n, alive=2)

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
        self.forget(e, names)

    def forget(self, e, names):
        for name in names:
            (e.vassals / (name + ".ini")).unlink()
        eventually(lambda: len(e.ctl("status")["apps"]) == 2, 60, "all are forgotten")

    @fault()
    def very_many_apps_watch_one_directory(self, e):
        """One user's apps, more than it may have inotify instances, and each has its say at the next release."""
        n, watched = span(20, 200), self.folder / "release"
        watched.mkdir()
        watched.chmod(0o755)
        names = ["m%03d" % i for i in range(n)]
        for name in names:
            e.drop(name, "hello", "processes = 1\nfs-reload = %s" % watched)

        def all_are(generation):
            rows = [a for a in e.ctl("status")["apps"] if a["name"] in names]
            return len(rows) == n and all(a["state"] == "running" and a["generation"] == generation for a in rows)

        eventually(lambda: all_are(1), 60, "all run")
        used, began = self.cpu_s("^(vassal: )?m"), time.monotonic()
        time.sleep(span(1.5, 5))
        share = (self.cpu_s("^(vassal: )?m") - used) / (time.monotonic() - began)
        self.assertGreater(used, 0.01 * n, "what %d imports took" % n)
        self.assertLess(share, 0.05, "watching takes this much of a core")
        (watched / "new.py").write_text("")
        began = time.monotonic()
        eventually(lambda: all_are(2), 60, "all are reloaded")
        print("%d apps: %.1f %% of a core, reloaded within %.1f s" % (n, 100 * share, time.monotonic() - began), end=" ", flush=True)
        self.forget(e, names)

    def cpu_s(self, pattern):
        """Of all whose title is like this, so far."""
        ticks = 0
        for pid in self.titled(self.world.e, pattern):
            with open("/proc/%d/stat" % pid) as f:
                ticks += sum(int(x) for x in f.read().rsplit(")", 1)[1].split()[11:13])
        return ticks / os.sysconf("SC_CLK_TCK")
