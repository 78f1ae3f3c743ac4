"""For tests of an emperor that is followed by another: the successor, what it inherits, and load meanwhile."""

import os
import signal
import threading
import time

from harness import BIN, Case, Daemon, Emperor, eventually, request, title


class Load(threading.Thread):
    """One request after the other, each on a connection of its own; every answer but 200 is kept."""

    def __init__(self, port, host):
        super().__init__(daemon=True)
        self.port, self.host = port, host
        self.good, self.bad, self.longest = 0, [], 0.0
        self.over = threading.Event()
        self.start()

    def run(self):
        while not self.over.is_set():
            began = time.monotonic()
            try:
                status = request(self.port, "/", host=self.host).status
            except Exception as e:  # whatever a client sees
                status = repr(e)
            self.longest = max(self.longest, time.monotonic() - began)
            if status == 200:
                self.good += 1
            else:
                self.bad.append(status)

    def more(self, n=20):
        want = self.good + n
        eventually(lambda: self.good >= want or self.bad, 10, "%d more answers" % n)

    def end(self):
        self.over.set()
        self.join()
        return self.bad


class Succession(Case):
    def setUp(self):
        super().setUp()
        self.run_dir = self.folder / "run"

    def processes(self, e):
        """name -> pid of the roles."""
        found = {}
        for pid in e.strays():
            name = title(pid)
            if name.startswith("emperor: "):
                found[name[len("emperor: "):]] = pid
        return found

    def roles(self, e):
        """The same, as soon as all three are there."""
        return eventually(lambda: (lambda p: p if len(p) == 3 else None)(self.processes(e)), 10, "three roles")

    def kill(self, e):
        os.kill(e.process.pid, signal.SIGKILL)
        e.process.wait()

    def successor(self, e, *args, env=None):
        """Another emperor in the place of e, with the same folders and port."""
        argv = [BIN / "emperor", "--vassals", e.vassals, "--run-dir", e.run_dir, "--db", e.db,
                "--http", "127.0.0.1:%d" % e.port, *args]
        fresh = Emperor.__new__(Emperor)
        fresh.folder, fresh.vassals, fresh.run_dir, fresh.db, fresh.port = (
            e.folder, e.vassals, e.run_dir, e.db, e.port)
        Daemon.__init__(fresh, e.folder, "emperor-%d" % time.monotonic_ns(), argv, env)
        self.daemon(fresh)
        eventually(lambda: not fresh.alive() or fresh.ctl_text("version").returncode == 0, 10, "the successor")
        self.assertTrue(fresh.alive(), fresh.output())
        return fresh

    def upgrade(self, e, *program):
        """As soon as all of its processes are there: before that it says that it cannot now."""
        return eventually(lambda: (lambda done: done if "not now" not in done.stderr else None)(e.ctl_text("upgrade", *program)),
                          10, "an upgrade is possible")

    def slow_request(self, port, host, path):
        """Under way when this returns; join() it for its status."""
        class Slow(threading.Thread):
            status = None

            def run(self):
                try:
                    self.status = request(port, path, host=host, timeout=20).status
                except Exception as e:
                    self.status = repr(e)

        slow = Slow(daemon=True)
        slow.start()
        return slow
