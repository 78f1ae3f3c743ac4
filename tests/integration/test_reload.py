"""Reloads: nobody notices them, their limits change in place, their triggers fire once."""

import contextlib
import os
import re
import resource
import select
import signal
import socket
import subprocess
import time
import unittest

import harness
from harness import APPS, Case, eventually

IDLE = 2000
AT_ONCE = 1000


def open_many(port, n, data):
    """n connections that have each asked once and are kept."""
    found = []
    for _ in range(n):
        s = socket.create_connection(("127.0.0.1", port), 10)
        s.sendall(data)
        found.append(s)
    return found


def read_all(sockets, seconds=20):
    """What each has received once it holds one whole answer (Content-Length), or its end."""
    got = {s: b"" for s in sockets}
    waiting = set(sockets)
    poll = select.poll()
    by_fd = {}
    for s in sockets:
        s.setblocking(False)
        poll.register(s, select.POLLIN)
        by_fd[s.fileno()] = s
    deadline = time.monotonic() + seconds
    while waiting and time.monotonic() < deadline:
        for fd, _ in poll.poll(200):
            s = by_fd[fd]
            try:
                piece = s.recv(65536)
            except OSError:
                piece = b""
            got[s] += piece
            head, _, body = got[s].partition(b"\r\n\r\n")
            length = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            if not piece or (length and len(body) >= length[0]):
                poll.unregister(s)
                waiting.discard(s)
    return [got[s] for s in sockets]


class KeptConnections(Case):
    def setUp(self):
        super().setUp()
        was = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (was[1], was[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, was)
        if was[1] < 3 * IDLE:
            self.skipTest("needs %d descriptors, may have %d" % (3 * IDLE, was[1]))

    def handed_back(self, e, app):
        return e.ctl("stats", app)["handed_back"]

    def test_2000_idle_connections_all_ask_right_after_a_reload_and_none_fails(self):
        e = self.emperor()
        e.drop("one", "whoami", "queue-size = 1000\nprocesses = 2\n")
        e.wait_up("one")
        ask = b"GET / HTTP/1.1\r\nHost: one.test\r\n\r\n"
        clients = []

        def bad(answers):
            return [a[:40] for a in answers if not a.startswith(b"HTTP/1.1 200 ")]

        try:
            # as many at once as the app's own queue takes
            while len(clients) < IDLE:
                clients += open_many(e.port, AT_ONCE, ask)
                self.assertEqual(bad(read_all(clients[-AT_ONCE:])), [])
            e.ctl("reload", "one")
            for i in range(IDLE // AT_ONCE):
                some = clients[i::IDLE // AT_ONCE]
                for s in some:
                    s.sendall(ask)
                self.assertEqual(bad(read_all(some)), [])
            eventually(lambda: e.state("one")["generation"] == 2)
        finally:
            for s in clients:
                s.close()
        # by descriptor, with their route: not one of them went through the gate again
        self.assertEqual(self.handed_back(e, "one"), 0)


class Limits(Case):
    def events(self, e, app):
        return [(x["kind"], x["text"]) for x in e.ctl("events", app)["events"]]

    def test_limits_alone_change_in_place_and_anything_else_is_a_new_generation(self):
        e = self.emperor()
        e.drop("one", "slow", "harakiri = 60\n")
        e.wait_up("one", "/?0")
        was = e.state("one")
        e.drop("one", "slow", "harakiri = 1\nkeepalive = 3\n")
        eventually(lambda: "in place" in e.output())
        eventually(lambda: any(k == "limits" for k, _ in self.events(e, "one")))
        self.assertIn(("limits", "limits changed: harakiri: 60 -> 1, keepalive: 75 -> 3"), self.events(e, "one"))
        now = e.state("one")
        self.assertEqual((now["generation"], now["pid"], now["state"]), (was["generation"], was["pid"], "running"))
        # and in force: the request that may take 60 s no longer may
        self.assertEqual(e.get("one", "/?30", timeout=20).status, 504)
        e.drop("one", "slow", "harakiri = 1\nkeepalive = 3\nenv = A=1\n")
        eventually(lambda: e.state("one")["generation"] == was["generation"] + 1)
        e.wait_state("one", "running")

    def test_processes_follow_the_ini_and_the_command_without_a_new_generation(self):
        e = self.emperor()
        e.drop("one", extra="processes = 2\n")
        e.wait_up("one")
        was = e.state("one")
        e.drop("one", extra="processes = 3\n")
        eventually(lambda: e.state("one")["alive"] == 3)
        done = e.ctl_text("scale", "one", "4")
        self.assertEqual((done.returncode, done.stdout), (0, "one: scale done\n"))
        eventually(lambda: e.state("one")["alive"] == 4)
        self.assertEqual(e.state("one")["scaled"], 4)
        self.assertIn("by command", e.ctl_text("status", "one").stdout)
        for number, why in (("0", "0 processes"), ("5000", "5000 processes")):
            done = e.ctl_text("scale", "one", number)
            self.assertEqual(done.returncode, 1)
            self.assertIn(why, done.stderr)
        self.assertEqual(e.ctl_text("scale", "one", "many").returncode, 1)
        # an edit of anything else leaves it so
        e.drop("one", extra="processes = 3\nharakiri = 50\n")
        eventually(lambda: "limits changed: harakiri: 0 -> 50" in e.output())
        self.assertEqual([e.state("one")[k] for k in ("scaled", "workers", "alive")], [4, 4, 4])
        # another number of processes is the later word
        e.drop("one", extra="processes = 1\n")
        eventually(lambda: e.state("one")["alive"] == 1)
        now = e.state("one")
        self.assertEqual((now["generation"], now["pid"], now["scaled"]), (was["generation"], was["pid"], 0))
        # more than this generation has room for: a new one, and nobody has to ask for it
        e.drop("one", extra="processes = 40\n")
        eventually(lambda: e.state("one")["generation"] == was["generation"] + 1)
        eventually(lambda: e.state("one")["alive"] == 40)

    def test_a_command_does_not_make_the_emperor_forget_what_the_file_asked_for(self):
        e = self.emperor()
        e.drop("one", extra="processes = 2\nreload-mercy = 7")
        e.wait_up("one")
        front = e.state("one")["pid"]
        os.kill(front, signal.SIGSTOP)
        e.drop("one", extra="processes = 2\nreload-mercy = 600")
        eventually(lambda: "reload-mercy: 7 -> 600, in place" in e.output(), 10, "the question")
        done = e.ctl_text("scale", "--no-wait", "one", "3")
        os.kill(front, signal.SIGCONT)
        self.assertIn("has not answered yet to reload-mercy", done.stderr)
        eventually(lambda: "limits changed: reload-mercy: 7 -> 600" in e.output(), 10, "the answer")
        self.assertEqual(e.ctl("scale", "one", "3")["ok"], True)
        self.assertNotIn("reload-mercy", e.ctl_text("plan").stdout)

    def test_the_same_bytes_are_a_reload_and_a_bad_limit_is_refused(self):
        e = self.emperor()
        path = e.drop("one", extra="harakiri = 60\n")
        e.wait_up("one")
        path.touch()
        eventually(lambda: e.state("one")["generation"] == 2)
        e.wait_state("one", "running")
        e.drop("one", extra="harakiri = soon\n")
        eventually(lambda: "one.ini:5: harakiri" in e.state("one")["last_error"])
        self.assertEqual(e.get("one").status, 200)


class Plan(Case):
    def rows(self, e, *args):
        return {r["name"]: (r["action"], r["text"]) for r in e.ctl("plan", *args, check=False)["apps"]}

    def test_a_staged_directory_is_told_app_by_app_and_nothing_happens(self):
        e = self.emperor()
        for name in ("limits", "code", "same", "gone"):
            e.drop(name, extra="processes = 1\n")
            e.wait_up(name)
        done = e.ctl_text("plan")
        self.assertEqual((done.returncode, done.stdout), (0, "nothing to do\n"))
        staged = self.folder / "staged"
        staged.mkdir()

        def stage(name, text, domain=None):
            (staged / (name + ".ini")).write_text(
                "[vassal]\ndomain = %s\nchdir = %s\n%s" % (domain or name + ".test", APPS, text))

        stage("same", "module = hello\n; a comment\nprocesses = 1\n")
        stage("limits", "module = hello\nprocesses = 4\nharakiri = 9\n")
        stage("code", "module = whoami\nprocesses = 2\n")
        stage("new", "module = hello\n")
        done = e.ctl_text("plan", str(staged))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("1 app stays as it is", done.stdout)
        stage("bad", "module = hello\nharakiri = soon\n")
        stage("thief", "module = hello\n", domain="same.test")
        rows = self.rows(e, str(staged))
        self.assertEqual(rows["same"], ("nothing", ""))
        self.assertEqual(rows["limits"], ("limits", "processes: 1 -> 4, harakiri: 0 -> 9"))
        self.assertEqual(rows["code"], ("reload", "module: hello -> whoami, processes: 1 -> 2"))
        self.assertEqual(rows["gone"][0], "stop")
        self.assertEqual(rows["new"][0], "start")
        self.assertIn("new.test", rows["new"][1])
        self.assertEqual(rows["bad"][0], "refused")
        self.assertIn("bad.ini:5: harakiri", rows["bad"][1])
        self.assertEqual(rows["thief"][0], "refused")
        self.assertIn('"same" answers for that name already', rows["thief"][1])
        self.assertEqual(e.ctl_text("plan", str(staged)).returncode, 1)
        self.assertEqual(e.ctl_text("plan", str(staged / "none")).returncode, 1)
        self.assertEqual({a["name"]: a["generation"] for a in e.ctl("status")["apps"]},
                         {"limits": 1, "code": 1, "same": 1, "gone": 1})

    def test_a_rename_is_a_stop_and_a_start_and_names_change_hands(self):
        e = self.emperor()
        old = e.drop("old")
        e.drop("left", domain="shared.test")
        for name, host in (("old", "old.test"), ("left", "shared.test")):
            e.wait_up(name) if name == "old" else eventually(lambda: e.get(name, host=host).status == 200)
        staged = self.folder / "staged"
        staged.mkdir()
        (staged / "new.ini").write_text(old.read_text())
        text = "[vassal]\ndomain = %s\nchdir = " + str(APPS) + "\nmodule = hello\n"
        (staged / "left.ini").write_text(text % "left.test")
        (staged / "right.ini").write_text(text % "shared.test")
        rows = self.rows(e, str(staged))
        self.assertEqual(rows["old"], ("stop", "its ini is renamed to new: this app stops, and new starts"))
        self.assertEqual(rows["new"][0], "start")
        self.assertRegex(rows["new"][1], r"renamed from old: that app stops, and this one starts anew; old\.test, uid \d+")
        self.assertEqual(rows["left"][0], "reload")
        self.assertEqual(rows["right"][0], "start")
        # as it was said
        for name in ("left", "right", "new"):
            e.write(name, (staged / (name + ".ini")).read_text())
        old.unlink()
        eventually(lambda: [(a["name"], a["state"]) for a in e.ctl("status")["apps"]]
                   == [(n, "running") for n in ("left", "new", "right")], 20)
        # two that want each other's name wait for ever for each other
        (staged / "left.ini").write_text(text % "shared.test")
        (staged / "right.ini").write_text(text % "left.test")
        rows = self.rows(e, str(staged))
        self.assertEqual((rows["left"][0], rows["right"][0]), ("refused", "refused"))
        self.assertIn('left.ini:2: domain = shared.test: "right" answers for that name already', rows["left"][1])

    def test_what_a_command_has_scaled_and_an_app_without_a_name_are_told(self):
        e = self.emperor()
        e.drop("one", extra="processes = 1\n")
        e.wait_up("one")
        self.assertEqual(e.ctl_text("scale", "one", "2").returncode, 0)
        self.assertEqual(self.rows(e)["one"], ("nothing", "2 processes by command stay in force"))
        self.assertIn("2 processes by command", e.ctl_text("plan").stdout)
        staged = self.folder / "staged"
        staged.mkdir()
        for extra, row in (("processes = 1\nharakiri = 9\n", ("limits", "harakiri: 0 -> 9; 2 processes by command stay in force")),
                           ("processes = 3\n", ("limits", "processes: 1 -> 3; 2 processes by command, until then")),
                           ("processes = 1\nthreads = 2\n", ("reload", "threads: 1 -> 2; 2 processes by command, until then"))):
            (staged / "one.ini").write_text("[vassal]\ndomain = one.test\nchdir = %s\nmodule = hello\n%s" % (APPS, extra))
            self.assertEqual(self.rows(e, str(staged))["one"], row)
        (staged / "nameless.ini").write_text("[vassal]\nchdir = %s\nmodule = hello\n" % APPS)
        self.assertRegex(self.rows(e, str(staged))["nameless"][1], r"\Auid \d+\Z")

    def test_more_processes_than_the_generation_has_room_for_are_a_reload(self):
        e = self.emperor("--max-workers", "50")
        e.drop("one", extra="processes = 2\n")
        e.wait_up("one")
        room = int(re.search(r"has room for 1 to (\d+)", e.ctl_text("scale", "one", "49").stderr).group(1))
        staged = self.folder / "staged"
        staged.mkdir()

        def plan(n):
            e_ini = (e.vassals / "one.ini").read_text()
            (staged / "one.ini").write_text(e_ini.replace("processes = 2", "processes = %d" % n))
            return self.rows(e, str(staged))["one"]

        self.assertEqual(plan(room), ("limits", "processes: 2 -> %d" % room))
        self.assertEqual(plan(room + 1), ("reload", "processes: 2 -> %d (the generation that runs has room for %d)"
                                          % (room + 1, room)))
        # what max-workers cuts is no change that waits
        e.drop("one", extra="processes = 60\n")
        eventually(lambda: e.state("one")["alive"] == 50, 20)
        self.assertEqual(e.ctl_text("plan").stdout, "nothing to do\n")

    def test_what_was_refused_when_it_came_is_still_told(self):
        e = self.emperor()
        e.drop("one")
        e.wait_up("one")
        e.drop("one", extra="harakiri = soon\n")
        eventually(lambda: "harakiri" in e.state("one")["last_error"])
        done = e.ctl_text("plan")
        self.assertEqual(done.returncode, 1)
        self.assertIn("one.ini:5: harakiri", done.stdout)


class Triggers(Case):
    def why(self, e, app):
        """Texts of the log lines that say why a new generation starts."""
        return [line.split(": ", 2)[1] for line in e.output().splitlines() if "a new generation starts" in line]

    def generation(self, e, app, n):
        eventually(lambda: e.state(app)["generation"] == n and e.state(app)["state"] == "running", 15)

    def test_files_directories_and_a_signal_ask_for_a_reload_each_once(self):
        e = self.emperor()
        (self.folder / "current" / "deep").mkdir(parents=True)
        (self.folder / "current" / "__pycache__").mkdir()
        flag, module = self.folder / "flag", self.folder / "current" / "deep" / "app.py"
        module.write_text("one")
        pidfile = self.folder / "pids" / "one.pid"
        pidfile.parent.mkdir(mode=0o777)
        pidfile.parent.chmod(0o777)
        e.drop("one", extra="touch-reload = %s\nfs-reload = %s\npidfile = %s\n" % (flag, self.folder / "current", pidfile))
        e.wait_up("one")
        # what Python writes itself, and what editors leave, is nobody's deploy
        (self.folder / "current" / "__pycache__" / "app.pyc").write_text("x")
        (self.folder / "current" / ".app.py.swp").write_text("x")
        flag.touch()
        self.generation(e, "one", 2)
        self.assertIn("touch-reload = %s has changed" % flag, e.output())
        module.write_text("two")
        self.generation(e, "one", 3)
        self.assertIn("fs-reload = %s has changed" % (self.folder / "current"), e.output())
        os.kill(int(pidfile.read_text()), signal.SIGHUP)
        self.generation(e, "one", 4)
        self.assertIn("SIGHUP", e.output())
        self.assertEqual(len(self.why(e, "one")), 3)

    def test_an_edited_module_is_a_new_generation_imported_late_or_not(self):
        e = self.emperor()
        code = self.folder / "code"
        code.mkdir()
        late, site = code / "late.py", code / "site_app.py"
        late.write_text("TEXT = b'late one'\n")
        text = ("def application(environ, start_response):\n"
                "    start_response('200 OK', [])\n"
                "    if environ['PATH_INFO'] == '/late':\n"
                "        import late\n"
                "        return [late.TEXT]\n"
                "    return [b'%s']\n")
        site.write_text(text % "first")
        e.drop("one", "site_app", "env = PYTHONDONTWRITEBYTECODE=1\npy-autoreload = 1\n", app=code)
        e.wait_up("one")
        self.assertEqual(e.get("one", "/late").text, "late one")
        # watched from the moment that the front was told of it: an edit before would not be seen, and is made again
        for _ in range(3):
            late.write_text("TEXT = b'late two'\n")
            site.write_text("oh no(")
            with contextlib.suppress(AssertionError):
                eventually(lambda: "SyntaxError" in e.state("one")["last_error"], 4)
                break
        # a mistake keeps the old one, and mending it is seen as well
        self.assertEqual((e.get("one").text, e.state("one")["generation"]), ("first", 1))
        site.write_text(text % "second")
        eventually(lambda: e.get("one").text == "second")
        self.assertEqual(e.get("one", "/late").text, "late two")
        self.assertRegex(e.output(), "py-autoreload: %s/(late|site_app).py has changed" % code)

    def test_py_autoreload_watches_directories_of_any_name(self):
        e = self.emperor()
        code = self.folder / "lib" / os.fsdecode(b"caf\xe9")
        code.mkdir(parents=True)
        text = "def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'%s']\n"
        (code / "latin.py").write_text(text % "first")
        e.drop("one", "latin", "pythonpath = %s/*\npy-autoreload = 1\nenv = PYTHONDONTWRITEBYTECODE=1\n" % code.parent)
        self.assertEqual(e.wait_up("one").text, "first")
        self.edit_until_seen(e, "one", "/", code / "latin.py", text)

    def edit_until_seen(self, e, app, path, file, text):
        for n in range(3):  # as above
            file.write_text(text % ("edit %d" % n))
            with contextlib.suppress(AssertionError):
                eventually(lambda: e.get(app, path).text.startswith("edit"), 4)
                break
        self.assertRegex(e.get(app, path).text, "edit")

    def test_py_autoreload_watches_files_that_an_ini_names_beside_it(self):
        e = self.emperor()
        text = "import os\ndef application(environ, start_response):\n    os.chdir('/')\n    start_response('200 OK', [])\n    return [b'%s']\n"
        code = self.folder / "code"
        code.mkdir()
        (code / "filed.py").write_text(text % "first")
        (code / "mounted.py").write_text("from filed2 import application\n")
        (code / "filed2.py").write_text(text % "second")
        e.write("one", "[vassal]\ndomain = one.test\nchdir = %s\nmount = /m=mounted.py\nwsgi-file = ./filed.py\npy-autoreload = 1\n"
                "env = PYTHONDONTWRITEBYTECODE=1\n" % code)
        self.assertEqual(e.wait_up("one").text, "first")
        self.assertEqual(e.get("one", "/m").text, "second")
        self.edit_until_seen(e, "one", "/", code / "filed.py", text)
        self.edit_until_seen(e, "one", "/m", code / "mounted.py", text)

    def test_a_storm_of_reloads_is_a_few_generations_and_nobody_waits_in_vain(self):
        e = self.emperor()
        e.drop("one", "slow_import", "env = SECONDS=0.5\n")
        e.wait_up("one")
        storm = [subprocess.Popen([harness.BIN / "emperorctl", "--run-dir", e.run_dir, "reload", "one"],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(30)]
        for p in storm:
            harness.started.add(p.pid)
        self.assertEqual({p.communicate(timeout=30)[0] for p in storm}, {"one: reload done\n"})
        self.assertIn(e.state("one")["generation"], (2, 3, 4))
        self.assertEqual(e.get("one").status, 200)


class Done(Case):
    def test_a_reload_is_done_when_the_old_code_takes_no_connection_any_more(self):
        e = self.emperor()
        e.drop("one")
        e.wait_up("one")
        old = e.state("one")["pid"]
        os.kill(old, signal.SIGSTOP)  # it cannot let go of its doors yet
        try:
            command = subprocess.Popen([str(harness.BIN / "emperorctl"), "--run-dir", str(e.run_dir), "reload", "one"])
            self.addCleanup(command.wait)
            eventually(lambda: e.state("one")["generation"] == 2)
            self.assertEqual(e.get("one").status, 200)
            self.assertIsNone(command.poll())
        finally:
            os.kill(old, signal.SIGCONT)
        self.assertEqual(command.wait(10 * harness.PATIENCE), 0)


class Readiness(Case):
    APP = (
        "import os\n"
        "def application(environ, start_response):\n"
        "    if environ['PATH_INFO'] == '/health':\n"
        "        start_response(%r, [])\n"
        "        return [b'database is away\\nand more']\n"
        "    start_response('200 OK', [])\n"
        "    return [%r]\n"
    )

    def test_a_generation_whose_health_check_fails_never_serves(self):
        e = self.emperor()
        code = self.folder / "code"
        code.mkdir()
        (code / "site_app.py").write_text(self.APP % ("200 OK", b"old"))
        # what Python compiled from one version of a file must not stand for the next, written in the same second
        extra = "env = PYTHONDONTWRITEBYTECODE=1\nhealth-check = /health\nprocesses = 2\nthreads = 2\n"
        e.drop("one", "site_app", extra, app=code)
        e.wait_up("one")
        (code / "site_app.py").write_text(self.APP % ("503 Service Unavailable", b"new"))
        done = e.ctl_text("reload", "one")
        self.assertEqual(done.returncode, 1)
        self.assertIn("health-check = /health: answered 503, not 200: database is away", done.stderr)
        state = e.state("one")
        self.assertEqual((state["state"], state["generation"]), ("running", 1))
        self.assertIn("health-check", state["reason"])
        self.assertNotIn("and more", state["last_error"])
        self.assertEqual(e.get("one").text, "old")
        # another status may be what healthy means
        e.drop("one", "site_app", extra + "health-check-status = 503\n", app=code)
        eventually(lambda: e.get("one").text == "new")

if __name__ == "__main__":
    unittest.main(verbosity=2)
