"""Programs beside an app: daemons and timed jobs as children of its front. They run while it serves, are shown, are started
again, never two of a kind at once, and nothing of them outlives the app, however it ends."""

import contextlib
import datetime
import os
import pathlib
import signal
import socket
import time
import unittest

import harness
from harness import Case, eventually, process_tree, title
from succession import Succession

FAKETIME = "libfaketime.so.1"


def alive(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path("/proc/%d/stat" % pid).read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


class Tasks(Case):
    def setUp(self):
        super().setUp()
        self.out = self.folder / "out"  # where the programs write: they run as another user
        self.out.mkdir()
        self.out.chmod(0o777)

    def script(self, name, text):
        path = self.folder / name
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o755)
        return path

    def told(self, name):
        with contextlib.suppress(OSError):
            return (self.out / name).read_text().split()
        return []

    def pids(self, name):
        return [int(word) for word in self.told(name)]

    def task(self, e, name, app="a"):
        row = e.state(app)
        return next((t for t in (row or {}).get("tasks", []) if t["name"] == name), None)

    def wait_task(self, e, name, seconds=10, **wanted):
        def fits():
            t = self.task(e, name)
            return t if t and all(t.get(k) == v for k, v in wanted.items()) else None

        try:
            return eventually(fits, seconds, "task %s is %s" % (name, wanted))
        except AssertionError as error:
            raise AssertionError("%s\nit is %s\n%s" % (error, self.task(e, name), e.output()[-4000:])) from None


class Daemons(Tasks):
    def test_a_daemon_has_the_apps_environment_is_started_again_and_shown(self):
        e = self.emperor()
        e.drop("a", extra="env = COLOUR=green\nattach-daemon = echo $$ >>%s/pids; echo I am $COLOUR of $EMPEROR_APP in $PWD; "
                          "exec sleep 1000" % self.out)
        e.wait_up("a")
        t = self.wait_task(e, "sleep", state="running") if self.task(e, "sleep") else self.wait_task(e, "echo", state="running")
        name = t["name"]
        eventually(lambda: "%s: I am green of a in %s" % (name, harness.APPS) in e.output(), what="its words are in the log")
        first = eventually(lambda: self.pids("pids"))[0]
        self.assertEqual(eventually(lambda: self.task(e, name)["pid"]), first)
        os.kill(first, signal.SIGKILL)
        eventually(lambda: len(self.pids("pids")) == 2, what="started again")
        t = self.wait_task(e, name, state="running", starts=2, failures=1)
        self.assertEqual(t["last_exit"], "signal 9")
        self.assertRegex(e.ctl_text("status", "a").stdout, r"daemon +%s: running, pid %d .*2 starts, 1 failed, last: signal 9"
                         % (name, self.pids("pids")[1]))
        self.assertIn("daemon %s (%d) killed by signal 9" % (name, first), e.ctl_text("logs", "a").stdout)
        # deleted: it ends with the app
        (e.vassals / "a.ini").unlink()
        eventually(lambda: not any(alive(p) for p in self.pids("pids")), what="it has ended")

    def test_two_generations_never_run_the_same_daemon_at_once(self):
        # takes half a second to end, and says when it begins and ends
        slow = self.script("slow", "trap 'sleep 0.5; echo end >>%(o)s/order; exit 0' TERM\necho begin >>%(o)s/order\n"
                                   "while :; do sleep 0.05; done\n" % {"o": self.out})
        e = self.emperor()
        e.drop("a", extra="attach-daemon = exec %s" % slow)
        e.wait_up("a")
        eventually(lambda: self.told("order") == ["begin"])
        for n in range(1, 3):
            e.ctl("reload", "a")
            eventually(lambda n=n: self.told("order") == ["begin", "end"] * n + ["begin"], what="one after the other")
        self.assertEqual(e.get("a").status, 200)
        self.assertIn("waits: the older generation's has not ended yet", e.output())

    def test_nothing_outlives_a_killed_front_or_minder_or_an_app_that_stops(self):
        # a daemon that ignores TERM, with a child in a session of its own, and one that detaches itself
        stubborn = self.script("stubborn", "trap '' TERM\nsetsid sh -c 'trap \"\" TERM; echo $$ >>%(o)s/p; while :; do sleep 1; done' &\n"
                                           "echo $$ >>%(o)s/p\nwhile :; do sleep 1; done\n" % {"o": self.out})
        detached = self.script("detached", "setsid sh -c 'echo $$ >>%s/p; exec sleep 1000' </dev/null &\n" % self.out)
        e = self.emperor()
        e.drop("a", extra="reload-mercy = 1\nattach-daemon = exec %s\nsmart-attach-daemon = /tmp/none.pid exec %s" % (stubborn, detached))
        e.wait_up("a")
        eventually(lambda: len(self.pids("p")) == 3, what="all run")
        self.wait_task(e, "detached", state="running", starts=1)

        def hit(pattern, sig):
            for pid in harness.descendants(e.process.pid):
                if pattern in title(pid):
                    os.kill(pid, sig)

        before = self.pids("p")
        hit("vassal: a", signal.SIGKILL)
        eventually(lambda: not any(alive(p) for p in before), 10, "the killed front's programs are gone")
        e.wait_up("a")
        eventually(lambda: len(self.pids("p")) == 6, what="the next front's run")
        hit("a minder of stubborn", signal.SIGKILL)
        eventually(lambda: len(self.pids("p")) == 8, what="stubborn again, although its minder was killed")
        eventually(lambda: sum(alive(p) for p in self.pids("p")) == 3, 10, "no program beside those that are meant")
        e.ctl("stop", "a")
        e.wait_state("a", "stopped")
        self.assertFalse([p for p in self.pids("p") if alive(p)])

    def test_keys_of_the_second_form_do_what_they_say(self):
        touched = self.out / "touched"
        touched.write_text("")
        e = self.emperor()
        e.drop("a", extra="""
attach-daemon2 = cmd=trap 'echo int, yes >>{o}/int; exit' INT; echo run >>{o}/int; while :; do sleep 0.05; done,name=polite,stopsignal=INT,touch={o}/touched
attach-daemon2 = cmd=exit 3,name=hopeless,freq=2
""".format(o=self.out))
        e.wait_up("a")
        self.wait_task(e, "polite", state="running")
        t = self.wait_task(e, "hopeless", state="broken")
        self.assertEqual((t["last_exit"], t["starts"]), ("exit 3", 2))
        eventually(lambda: self.told("int") == ["run"])
        os.utime(touched, (1, 1))
        eventually(lambda: self.told("int")[-1:] == ["run"] and "int," in self.told("int"), what="told to end by INT, started anew")
        self.wait_task(e, "polite", state="running", starts=2, failures=0)

    def test_a_control_daemon_takes_its_generation_with_it(self):
        e = self.emperor()
        e.drop("a", extra="attach-daemon2 = cmd=echo $$ >>%s/p; exec sleep 1000,control=1" % self.out)
        e.wait_up("a")
        os.kill(eventually(lambda: self.pids("p"))[0], signal.SIGTERM)
        eventually(lambda: len(self.pids("p")) == 2 and self.state_is_new(e), 10, "a new generation")
        self.assertIn("(control)", e.output())

    def state_is_new(self, e):
        s = e.state("a")
        return s["state"] == "running" and s["generation"] == 2


class Timed(Tasks, Succession):
    def start(self, at, extra):
        """An emperor whose wall clock, not its other clocks, begins at this UTC time."""
        # the offset is kept in a file that is read anew each time, so that a test can move the clock
        self.clock = self.folder / "clock"
        self.move(at)
        # files keep their real times: each would be another file whenever the clock is moved
        self.env = {"LD_PRELOAD": harness.faketime(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(self.clock), "FAKETIME_NO_CACHE": "1",
                    "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1", "NO_FAKE_STAT": "1", "TZ": "UTC"}
        e = self.emperor(env=self.env)
        e.drop("a", extra="reload-mercy = 1\n" + extra)
        e.wait_up("a")
        return e

    def move(self, at):
        """Now it is this time: "2026-01-01 02:29:58"."""
        wanted = datetime.datetime.strptime(at + "+0000", "%Y-%m-%d %H:%M:%S%z").timestamp()
        temporary = self.clock.with_suffix(".new")
        temporary.write_text("%+.3f\n" % (wanted - time.time()))
        temporary.rename(self.clock)

    def test_timed_jobs_run_at_their_minute_and_harakiri_ends_them(self):
        e = self.start("2026-01-01 02:29:50", "cron = 30 2 -1 -1 -1 echo ran >>%(o)s/ran; echo hello; exit 4\n"
                       "cron = 31 2 -1 -1 -1 echo early >>%(o)s/ran\n"
                       "cron2 = minute=30,name=stuck,harakiri=1,unique=1 exec sleep 1000" % {"o": self.out})
        eventually(lambda: self.task(e, "echo")["next"] > 0, what="its time is known")
        self.assertEqual(self.told("ran"), [])
        self.move("2026-01-01 02:29:59")
        e.ctl("reload", "a")  # the next look at the clock may be ten seconds away: a new generation looks at once
        self.wait_task(e, "echo", state="waiting", starts=1, failures=1, last_exit="exit 4", seconds=15)
        self.assertEqual(self.told("ran"), ["ran"])
        self.assertIn("echo: hello", e.output())
        self.wait_task(e, "stuck", state="waiting", starts=1, last_exit="signal 9")
        self.assertIn("it ran longer than 1 s (harakiri)", e.output())
        self.assertEqual(self.task(e, "echo-2")["starts"], 0)

    def test_timed_jobs_do_not_notice_that_the_emperor_is_another(self):
        e = self.start("2026-01-01 02:29:50", "cron2 = minute=30,name=long,unique=1 echo $$ >>%s/long; exec sleep 1000" % self.out)
        eventually(lambda: self.task(e, "long")["next"] > 0, what="its time is known")
        self.move("2026-01-01 02:29:59")
        e.ctl("reload", "a")
        self.wait_task(e, "long", state="running", seconds=15)
        job = eventually(lambda: self.pids("long"), 20, "the job")[0]
        self.kill(e)
        f = self.successor(e, env=self.env)
        row = self.task(f, "long")
        self.assertEqual((row["state"], row["starts"], row["pid"] > 0, row["next"] > 0), ("running", 1, True, True))
        self.assertTrue(alive(job))
        # deleted while there is no emperor: nothing of it outlives that
        self.kill(f)
        (e.vassals / "a.ini").unlink()
        g = self.successor(f, env=self.env)
        eventually(lambda: g.state("a") is None, 15, "it is forgotten")
        eventually(lambda: job not in process_tree(), 10, "the end of the job")
        self.assertEqual(self.pids("long"), [job])


if __name__ == "__main__":
    harness.main()
