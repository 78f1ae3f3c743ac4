"""What can be seen: stats sockets, history, emperorctl."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import time
import unittest

import harness
from harness import Case, eventually, request


def bare(path_or_port):
    """What a client gets that connects and says nothing."""
    s = socket.socket(socket.AF_UNIX) if not isinstance(path_or_port, int) else socket.socket()
    with s:
        s.settimeout(10)
        s.connect(path_or_port if not isinstance(path_or_port, int) else ("127.0.0.1", path_or_port))
        data = b""
        while True:
            piece = s.recv(65536)
            if not piece:
                return data
            data += piece


class Stats(Case):
    def test_an_apps_stats_socket_speaks_json_and_http_with_uwsgis_names(self):
        port = harness.free_port()
        e = self.emperor()
        e.drop("a", "shapes", "stats = 127.0.0.1:%d\nprocesses = 2" % port)
        e.wait_up("a", "/plain")
        for _ in range(20):
            e.get("a", "/plain")
        e.get("a", "/raises")

        def seen():
            try:
                stats = json.loads(bare(port))
            except OSError:
                return None
            return stats if sum(w["requests"] for w in stats["workers"]) >= 21 and any(
                w["rss"] for w in stats["workers"]) else None

        stats = eventually(seen, 10)
        for key in ("version", "listen_queue", "listen_queue_errors", "signal_queue", "load", "pid", "uid", "gid", "cwd", "locks",
                    "sockets", "workers"):
            self.assertIn(key, stats)
        self.assertEqual(len([w for w in stats["workers"] if w["pid"]]), 2)
        for worker in stats["workers"]:
            for key in ("id", "pid", "accepting", "requests", "delta_requests", "exceptions", "harakiri_count", "signals", "signal_queue",
                        "status", "rss", "vsz", "running_time", "last_spawn", "respawn_count", "tx", "avg_rt", "apps", "cores"):
                self.assertIn(key, worker)
                if key not in ("status", "apps", "cores"):
                    self.assertIsInstance(worker[key], int)
        self.assertEqual(sum(w["exceptions"] for w in stats["workers"]), 1)
        self.assertGreater(max(w["rss"] for w in stats["workers"]), 1 << 20)
        answer = request(port, "/")
        self.assertEqual((answer.status, answer.headers["Content-Type"].split(";")[0]), (200, "application/json"))
        self.assertEqual(json.loads(answer.body)["workers"][0]["id"], 1)

    def test_events_are_there_at_once_and_in_the_order_in_which_they_happened(self):
        e = self.emperor()
        e.drop("a", extra="processes = 1")
        e.wait_up("a")
        for n in (2, 3, 4):
            e.ctl("scale", "a", str(n))
            # asked at once: what the front has said a moment ago is not left out
            events = e.ctl("events", "a")["events"]
            times = [x["time_ns"] for x in events]
            self.assertEqual(times, sorted(times))
            said = [x["text"] for x in events]
            front = said.index("processes: %d instead of %d from now on" % (n, n - 1))
            emperor = said.index("limits changed: processes: %d -> %d, by command" % (n - 1, n))
            self.assertLess(front, emperor, events)

    def test_the_inis_that_were_in_force_are_kept_without_their_secrets(self):
        port = harness.free_port()
        e = self.emperor()
        lines = "env = KEY=hunter2\nharakiri = %d\nstats = 127.0.0.1:" + str(port)
        path = e.drop("a", extra=lines % 50)
        e.wait_up("a")
        e.drop("a", extra=lines % 60)
        eventually(lambda: "limits changed: harakiri: 50 -> 60" in e.output())
        e.drop("a", extra=lines % 70 + "\nprocesses = 2\nthreads = 2\ndb-password = hunter2")
        eventually(lambda: e.state("a")["generation"] == 2 and e.state("a")["state"] == "running")
        rows = eventually(lambda: (lambda r: r if len(r) == 3 else None)(e.ctl("ini", "a", "--history")["inis"]))
        self.assertEqual([r["generation"] for r in rows], [2, 1, 1])
        self.assertEqual(len({r["digest"] for r in rows}), 3)
        now, before = (e.ctl_text("ini", "a", "--generation", n).stdout for n in "21")
        self.assertIn("env = KEY=***\nharakiri = 70\n", now)
        self.assertIn("db-password = ***\n", now)
        self.assertIn("harakiri = 60\n", before)
        self.assertIn("hunter2", e.ctl_text("ini", "a").stdout)  # the emperor's own answer is for who may command it
        table = e.ctl_text("ini", "a", "--history").stdout
        self.assertRegex(table, r"SINCE +GEN +BYTES +DIGEST +RELEASE\n20\S+Z +2 +\d+ +%s +%s\n" % (rows[0]["digest"], harness.APPS.resolve()))
        # not for whom an app's own socket is open to, and not with a secret in the file
        self.assertEqual(request(port, "/inis?app=a").status, 404)
        for file in e.db.parent.iterdir():
            self.assertNotIn(b"hunter2", file.read_bytes())
        for args, code, says in ((["--generation", "9"], 1, "not in the history"), (["--generation", "0"], 2, "a number"),
                                 (["--history", "--generation", "1"], 2, "lists all")):
            done = e.ctl_text("ini", "a", *args)
            self.assertEqual(done.returncode, code)
            self.assertIn(says, done.stderr)
        self.assertEqual(e.ctl_text("ini", "none", "--history").returncode, 1)
        # a stats role that begins anew is told again, and nothing is stored twice; an app that is gone has been
        stats = [p for p in harness.descendants(e.process.pid) if "stats" in harness.title(p)][0]
        os.kill(stats, signal.SIGKILL)
        eventually(lambda: [p for p in harness.descendants(e.process.pid)
                            if "stats" in harness.title(p) and p != stats], 10, "another")
        eventually(lambda: e.ctl_text("stats", "a").returncode == 0, 10, "it knows the app")
        self.assertEqual(len(e.ctl("ini", "a", "--history")["inis"]), 3)
        path.unlink()
        eventually(lambda: e.state("a") is None)
        self.assertEqual(len(e.ctl("ini", "a", "--history")["inis"]), 3)

    def test_the_death_of_each_role_is_in_the_history_and_counted(self):
        e = self.emperor()
        e.drop("a")
        e.wait_up("a")

        def pid(role):
            return next((p for p in harness.descendants(e.process.pid) if harness.title(p) == "emperor: " + role), None)

        def deaths():
            return {r["name"]: r["deaths"] for r in e.ctl("status")["roles"]}

        self.assertEqual(deaths(), {"gate": 0, "stats": 0, "keeper": 0})
        self.assertNotIn("died", e.ctl_text("status").stdout)
        eventually(lambda: e.ctl_text("events").returncode == 0)
        for role in ("gate", "keeper", "stats"):  # the one that writes it down last
            old = eventually(lambda: pid(role), 10)
            os.kill(old, signal.SIGKILL)
            eventually(lambda: pid(role) not in (None, old), 10, "another " + role)
        events = eventually(lambda: (lambda v: v if len(v) == 3 else None)(
            [x for x in e.ctl("events")["events"] if x["kind"] == "role died"]), 10, "all three")
        self.assertEqual(sorted(x["text"] for x in events),
                         [role + ": killed by signal 9 (Killed)" for role in ("gate", "keeper", "stats")])
        self.assertEqual({x["app"] for x in events}, {"#emperor"})
        self.assertEqual(deaths(), {"gate": 1, "stats": 1, "keeper": 1})
        self.assertRegex(e.ctl_text("status").stdout, r"\nkeeper has died 1 time, the last time \S+ ago: killed by signal 9 \(Killed\)\n")

    def test_the_emperors_view_lists_vassals(self):
        e = self.emperor()
        e.drop("a")
        e.wait_up("a")
        view = eventually(lambda: (lambda v: v if any(x["id"] == "a" and x["ready"] for x in v["vassals"]) else None)(
            json.loads(bare(str(e.run_dir / "stats.sock")))), 10)
        self.assertEqual([v["id"] for v in view["vassals"]], ["a"])

    def test_the_emperors_own_stats_address_and_the_one_in_the_run_directory_both_answer(self):
        port = harness.free_port()
        config = self.folder / "emperor.ini"
        config.write_text("[emperor]\nstats = 127.0.0.1:%d\n" % port)
        e = self.emperor("--config", str(config))
        e.drop("a")
        e.wait_up("a")
        for _ in range(3):
            for where in (port, str(e.run_dir / "stats.sock")):
                view = eventually(lambda where=where: json.loads(bare(where)), 5)
                self.assertEqual([v["id"] for v in view["vassals"]], ["a"])

    def test_an_apps_stats_address_that_its_ini_no_longer_names_is_closed(self):
        sockets = self.folder / "sockets"
        sockets.mkdir()
        os.chmod(sockets, 0o777)
        for address in (harness.free_port(), str(sockets / "stats.sock")):
            with self.subTest(address=address):
                e = self.emperor() if isinstance(address, int) else e
                text = "127.0.0.1:%d" % address if isinstance(address, int) else address
                e.drop("a", extra="stats = " + text)
                e.wait_up("a")
                eventually(lambda: self.answers(address), 10, "it answers")
                e.drop("a", "no_such_module_at_all")
                eventually(lambda: "no_such_module_at_all" in e.state("a")["last_error"], 10)
                self.assertTrue(self.answers(address), "the old generation serves, and so does its stats address")
                e.drop("a")
                eventually(lambda: not self.answers(address), 10, "it is closed")
                self.assertEqual(e.get("a").status, 200)
        self.assertFalse((sockets / "stats.sock").exists())
        stats = next(p for p in harness.descendants(e.process.pid) if "stats" in harness.title(p))
        before = self.cpu_s(stats)
        time.sleep(1)
        self.assertLess(self.cpu_s(stats) - before, 0.3, "a socket that was shut down is not spun on")

    def cpu_s(self, pid):
        with open("/proc/%d/stat" % pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def test_a_changed_stats_address_that_never_serves_leaves_the_old_one_answering(self):
        ports = [harness.free_port(), harness.free_port()]
        e = self.emperor()
        e.drop("a", extra="stats = 127.0.0.1:%d" % ports[0])
        e.wait_up("a")
        eventually(lambda: self.answers(ports[0]), 10)
        e.drop("a", "no_such_module_at_all", extra="stats = 127.0.0.1:%d" % ports[1])
        eventually(lambda: "no_such_module_at_all" in e.state("a")["last_error"], 10)
        self.assertTrue(self.answers(ports[0]))
        e.drop("a", extra="stats = 127.0.0.1:%d" % ports[1])
        eventually(lambda: self.answers(ports[1]) and not self.answers(ports[0]), 10, "the new one, and only it")

    def answers(self, where):
        try:
            return json.loads(bare(where))["workers"]
        except OSError:
            return None

    def test_events_are_kept_in_sqlite_and_shown(self):
        e = self.emperor()
        path = e.drop("a", "shapes")
        e.wait_up("a", "/plain")
        before = e.state("a")["generation"]
        os.utime(path)
        eventually(lambda: e.state("a")["generation"] > before and e.state("a")["state"] == "running", 10)
        e.get("a", "/die", timeout=20)

        def kinds():
            events = e.ctl("events", "a")
            return {x["kind"] for x in events["events"]}

        eventually(lambda: {"started", "reloaded"} <= kinds() and any("crash" in k or "kill" in k for k in kinds()), 10, "events")
        e.stop()
        with sqlite3.connect("file:%s?mode=ro" % e.db, uri=True) as db:
            self.assertEqual(db.execute("pragma integrity_check").fetchone()[0], "ok")
            tables = {r[0] for r in db.execute("select name from sqlite_master where type = 'table'")}
            self.assertTrue({"events"} <= tables or any("event" in t for t in tables), tables)
            minutes = [t for t in tables if "minute" in t]
            self.assertTrue(minutes, tables)
            self.assertGreater(db.execute("select sum(requests) from %s" % minutes[0]).fetchone()[0] or 0, 0)

    def test_a_corrupt_database_is_set_aside(self):
        folder = self.folder / "db"
        folder.mkdir()
        os.chmod(folder, 0o777)
        (folder / "emperor.db").write_bytes(b"this is no database" * 1000)
        e = self.emperor()
        e.drop("a")
        e.wait_up("a")
        eventually(lambda: [p for p in folder.iterdir() if "corrupt" in p.name], 10, "set aside")
        eventually(lambda: "corrupt" in e.output(), 5)
        eventually(lambda: e.ctl("events", "a")["events"], 10, "a new one begun")

    def test_status_for_people_and_programs(self):
        e = self.emperor()
        e.drop("a")
        e.wait_up("a")
        done = e.ctl_text("status")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"(?m)^a +running")
        self.assertEqual(e.ctl("status", "a")["apps"][0]["name"], "a")
        self.assertEqual(e.ctl_text("status", "nobody").returncode, 1)
        self.assertEqual(e.ctl_text("nonsense").returncode, 2)
        self.assertIn("0.", e.ctl_text("version").stdout)

    def test_an_app_that_never_was_is_told_from_one_that_is_gone(self):
        e = self.emperor()
        path = e.drop("a")
        e.wait_up("a")
        eventually(lambda: e.ctl("events", "a")["events"], 10)
        for command in ("events", "stats", "status"):
            done = e.ctl_text(command, "nosuch")
            self.assertEqual((command, done.returncode, done.stdout), (command, 1, ""))
            self.assertIn("nosuch: there is no such app", done.stderr)
        path.unlink()
        eventually(lambda: e.state("a") is None, 10)
        done = e.ctl_text("events", "a")
        self.assertEqual(done.returncode, 0)
        self.assertIn("started", done.stdout)

    def test_status_of_one_app_ends_with_its_last_field(self):
        e = self.emperor()
        e.drop("a", extra="vaccum = true")
        e.wait_up("a")
        shown = e.ctl_text("status", "a").stdout
        self.assertIn("vaccum", shown)
        self.assertTrue(shown.splitlines()[-1].strip(), shown)

    def test_without_a_database_events_say_why_and_who_must_be_able_to_write_where(self):
        locked = self.folder / "locked"
        locked.mkdir()
        (locked / "db").mkdir()
        (locked / "db").rmdir()
        (locked / "db").write_text("no directory")
        e = self.emperor("--db", str(locked / "db" / "history.db"))
        eventually(lambda: "history.db" in e.output(), 10)
        e.drop("a")
        e.wait_up("a")

        def refused():
            done = e.ctl_text("events")
            return done if done.returncode == 1 and "events are kept in" in done.stderr else None

        done = eventually(refused, 10)
        self.assertEqual(done.stdout, "")
        self.assertIn(str(locked / "db" / "history.db"), done.stderr)
        self.assertRegex(done.stderr, r"must be able to write this file and its directory %s;" % (locked / "db"))
        self.assertIn("stats-user" if os.getuid() == 0 else "whom the emperor runs as", done.stderr)


class NoEmperor(Case):
    def ctl(self, *args, **kw):
        return subprocess.run([str(harness.BIN / "emperorctl"), *map(str, args)], capture_output=True, text=True, timeout=30, **kw)

    def test_version_says_its_own_and_that_no_emperor_runs(self):
        done = self.ctl("--run-dir", self.folder, "version")
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stdout, r"\Aemperorctl \d+\.\d+\.\d+\n\Z")
        self.assertIn("no emperor runs here", done.stderr)
        answer = json.loads(self.ctl("--json", "--run-dir", self.folder, "version").stdout)
        self.assertEqual((answer["ok"], answer["emperorctl"]), (False, done.stdout.split()[1]))

    def test_a_socket_that_may_not_be_opened_is_not_no_emperor(self):
        run = self.folder / "run"
        run.mkdir()
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(str(run / "control.sock"))
            s.listen()
            os.chmod(run / "control.sock", 0)
            kw = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.getuid() == 0 else {}
            done = self.ctl("--run-dir", run, "status", **kw)
        self.assertEqual(done.returncode, 1)
        self.assertIn("%s/control.sock may not be opened by this user" % run, done.stderr)
        self.assertNotIn("no emperor runs", done.stderr)

    def test_wrong_usage_is_explained_in_the_last_line(self):
        for args, words in ((["frobnicate"], 'unknown command "frobnicate"'), (["stop"], "stop [--no-wait] APP"),
                            (["version", "x"], "version: wrong number of arguments"), (["--frob", "status"], '"--frob"'),
                            (["status", "-n", "3"], "status [APP]"), ([], "a command is needed"),
                            (["-n", "0", "events"], "events: -n takes a number from 1 to 100000"), (["-n", "100001", "logs", "a"], "100000"), (["status", "-n", "0"], "status [APP]")):
            done = self.ctl(*args)
            self.assertEqual((args, done.returncode, done.stdout), (args, 2, ""))
            self.assertIn(words, done.stderr.splitlines()[-1])
            self.assertLessEqual(len(done.stderr.splitlines()), 2)

    def test_help_explains_every_command(self):
        done = self.ctl("--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        commands = done.stdout.split("Commands:\n")[1].split("\n\n")[0].splitlines()
        self.assertGreater(len(commands), 15)
        for line in commands:
            self.assertRegex(line, r"^  \w+ .*  \S")
            self.assertLess(len(line), 110)
        for command in ("status", "stats", "events", "check", "reload", "stop", "start", "logs", "reopen", "version"):
            self.assertRegex(done.stdout, r"(?m)^  %s .*\S  +\w+" % command if command != "version" else r"(?m)^  version  +\w+")


if __name__ == "__main__":
    unittest.main(verbosity=2)
