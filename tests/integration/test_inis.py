"""Existing uWSGI inis, broken ones, logs, and the commands that show them."""

import contextlib
import json
import os
import pty
import pwd
import re
import socket
import subprocess
import time
import unittest

import harness
from harness import Case, eventually, request


def localised(name, folder, ports):
    """An example ini with other ports and paths."""
    text = (harness.EXAMPLES / name).read_text().replace("%d", str(harness.EXAMPLES))
    for old, new in ports.items():
        text = text.replace(old, new)
    return text


class Examples(Case):
    def test_the_three_examples_answer_by_name_on_one_port(self):
        e = self.emperor()
        for name in ("hello", "flask", "django"):
            e.write(name, (harness.EXAMPLES / (name + ".ini")).read_text().replace("%d", str(harness.EXAMPLES)))
        for host, words in (("hello.localhost", "Hello, world!"), ("flask.localhost", "Hello from Flask"),
                            ("django.localhost", "Guest 49")):
            def answers(host=host, words=words):
                answer = request(e.port, "/", host=host, timeout=20)
                return answer.status == 200 and words in answer.text

            eventually(answers, 30, host)
        css = request(e.port, "/static/style.css", host="django.localhost")
        self.assertEqual((css.status, css.headers["Content-Type"].split(";")[0]), (200, "text/css"))
        self.assertEqual(request(e.port, "/static/style.css", host="django.localhost",
                                 headers={"If-Modified-Since": css.headers["Last-Modified"]}).status, 304)
        for path in ("/static/../guestbook/settings.py", "/static/%2e%2e/guestbook/settings.py", "/static/..%2fguestbook/settings.py"):
            self.assertNotIn("SECRET_KEY", request(e.port, path, host="django.localhost").text)

    def test_tutorial_inis_work_unchanged_but_for_paths(self):
        e = self.emperor(http=False)
        ports = [harness.free_port() for _ in range(3)]
        log = self.folder / "logs"
        log.mkdir()
        os.chmod(log, 0o777)
        e.write("t1", localised("tutorial-django.ini", self.folder, {"9005": str(ports[0])}))
        e.write("t2", localised("tutorial-flask.ini", self.folder, {"9006": str(ports[1])}))
        e.write("t3", localised("tutorial-nginx.ini", self.folder, {"9090": str(ports[2]),
                "$(EXAMPLE_LOGS:-/tmp)/emperor-example-uwsgi.log": str(log / "uwsgi.log")}))
        for port, words in ((ports[0], "Guest 49"), (ports[1], "Hello from Flask")):
            def answers(port=port, words=words):
                try:
                    return words in request(port, "/", timeout=20).text
                except OSError:
                    return False

            eventually(answers, 30, "port %d" % port)
        self.assertEqual(request(ports[0], "/static/style.css").status, 200)
        behind = harness.free_port()
        self.nginx("location / { include /etc/nginx/uwsgi_params; uwsgi_pass 127.0.0.1:%d; }" % ports[2], behind)
        eventually(lambda: request(behind, "/").text == "Hello, world!", 20)
        eventually(lambda: (log / "uwsgi.log").exists() and "GET /" in (log / "uwsgi.log").read_text(), 10, "access line in daemonize's file")


class Broken(Case):
    def test_broken_huge_binary_and_half_written_inis_are_refused_with_the_reason(self):
        e = self.emperor()
        e.drop("good")
        e.wait_up("good")
        for name, data, words in (
            ("binary", os.urandom(2000) + b"\0", "binary"), ("huge", b"[vassal]\n; " + b"x" * (2 << 20), "larger than 1 MiB"),
            ("nosection", b"module = hello\n", "section"), ("conflict", b"[vassal]\n<<<<<<< HEAD\nmodule = a\n=======\n", "conflict"),
            ("number", b"[vassal]\nmodule = hello\nprocesses = many\n", "number.ini:3: processes"),
            ("nodir", b"[vassal]\nmodule = hello\nchdir = /no/such/dir\n", "/no/such/dir"),
            ("nouser", b"[vassal]\nmodule = hello\nuid = nobody-like-this\n", "nobody-like-this"),
        ):
            with self.subTest(name=name):
                (e.vassals / (name + ".ini")).write_bytes(data)
                row = eventually(lambda: (lambda r: r if r and r["last_error"] else None)(e.state(name)), 10, name)
                self.assertIn(words, row["last_error"])
                self.assertEqual(e.get("good").status, 200)

    def test_unknown_keys_are_warned_of_with_a_suggestion(self):
        e = self.emperor()
        e.drop("a", extra="vaccum = true\nbase = /srv\npidfile2 = %(base)/x")
        e.wait_up("a")
        self.assertRegex(e.output(), r"a\.ini:5: .*vaccum.*vacuum")
        self.assertNotRegex(e.output(), r"a\.ini:6: .*base")
        done = e.ctl_text("check", str(e.vassals / "a.ini"))
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"a\.ini:5: .*vaccum.*vacuum")
        (self.folder / "bad.ini").write_text("[vassal]\nmodule = x\nharakiri = 5x\n")
        done = e.ctl_text("check", str(self.folder / "bad.ini"))
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout + done.stderr, r'bad\.ini:3: harakiri: "5x"')

    def test_a_traceback_stands_once_in_the_log_of_the_emperor(self):
        code = self.folder / "code"
        code.mkdir()
        (code / "bad.py").write_text("import no_such_module_at_all\n")
        log = self.folder / "open" / "bad.log"
        log.parent.mkdir()
        os.chmod(log.parent, 0o777)
        e = self.emperor()
        for name, extra in (("bad", ""), ("filed", "logto = %s" % log)):
            before = len(e.output())
            e.drop(name, "bad", app=code, extra=extra)
            e.wait_state(name, "backoff")
            said = eventually(lambda name=name, before=before: re.search(r"(?s)^.*%s: failure 1 in a row" % name, e.output()[before:])).group()
            # what the app has said, or what the emperor has: never both
            self.assertRegex(said, r"%s: generation 1 failed \(import\): module = bad: ModuleNotFoundError: No module named 'no_such" % name)
            if name == "bad":
                eventually(lambda: "bad: Traceback" in e.output())
            self.assertNotIn("filed: Traceback", e.output())
            self.assertEqual("\n\tTraceback" in said, name == "filed", said)
            self.assertIn("Traceback", e.state(name)["last_error"])
        self.assertIn("Traceback", log.read_text())

    def test_check_finds_what_the_emperor_refuses_and_all_of_it(self):
        e = self.emperor()
        files = {
            "nodir": "[vassal]\ndomain = a.test\nmodule = hello\nchdir = /no/such/dir\n",
            "nouser": "[vassal]\ndomain = b.test\nmodule = hello\nchdir = %s\nuid = nobody-like-this\n" % harness.APPS,
            "nofile": "[vassal]\ndomain = c.test\nchdir = %s\nwsgi-file = not-there.py\n" % harness.APPS,
            "nohome": "[vassal]\ndomain = d.test\nchdir = %s\nmodule = hello\nhome = static\n" % harness.APPS,
        }
        for name, text in files.items():
            path = e.write(name, text)
            row = eventually(lambda name=name: (lambda r: r if r and r["last_error"] else None)(e.state(name)), 15, name)
            done = e.ctl_text("check", str(path))
            self.assertEqual((name, done.returncode), (name, 1), row)
            self.assertRegex(done.stdout, r"(?m)^%s\.ini:\d: " % name)
            self.assertTrue(done.stdout.endswith("1 error\n"), done.stdout)
            answer = e.ctl("check", str(path), check=False)
            self.assertEqual((answer["ok"], len(answer["errors"])), (False, 1))
        many = self.folder / "many.ini"
        many.write_text("[vassal]\nharakiri = 5x\nchdir = /no/such\nprocesses = many\nuid = nobody-like-this\n")
        done = e.ctl_text("check", str(many))
        self.assertEqual([line.split(":")[1] for line in done.stdout.splitlines() if line.startswith("many.ini:") and
                          "note" not in line], ["2", "3", "4", "5", " neither module nor wsgi-file"], done.stdout)

    def test_check_tells_of_files_that_the_app_is_served_without(self):
        folder = self.folder / "kept"
        folder.mkdir()
        people = folder / "people"
        people.write_text("ann:$apr1$x$abcdefghijklmnopqrstuv\nbob:$2y$05$abcdefghijklmnopqrstuu\ne\x1b[2Jve:plain\n")
        there = folder / "there"
        there.write_text("x")
        lines = ["[vassal]", "module = hello", "chdir = %s" % harness.APPS, "domain = a.test",
                 "error-page-404 = %s/no.html" % folder, "error-page-502 = %s" % there,
                 "mimefile = %s/no.types" % folder, "touch-reload = %s/no.touch" % folder, "fs-reload = %s/no.folder" % folder,
                 "static-map = /s=%s/no.static" % folder, "static-map2 = /t=%s/no.static2" % folder, "check-static = %s" % folder,
                 "sendfile-root = %s/no.root" % folder, "route = ^/a basicauth:r,%s/no.people" % folder,
                 "route = ^/b basicauth:r,%s" % people, "stats = %s/no.stats/s.sock" % folder]
        ini = self.folder / "kept.ini"
        ini.write_text("\n".join(lines) + "\n")
        done = subprocess.run([str(harness.BIN / "emperorctl"), "check", str(ini)], capture_output=True, text=True, timeout=60)
        told = {int(line.split(":")[1]): line for line in done.stdout.splitlines() if line.startswith("kept.ini:") and "note" in line
                and line.split(":")[1].isdigit()}
        self.assertEqual((done.returncode, sorted(told)), (1, [5, 7, 8, 9, 10, 11, 13, 14, 15]), done.stdout)
        # without this one it is not served at all: it is one of its listeners
        self.assertIn("kept.ini:16: stats: %s/no.stats/s.sock: there is no such folder\n" % folder, done.stdout)
        self.assertIn("no.html: No such file", told[5])
        self.assertIn("gets 503", told[14])
        self.assertIn('"ann": an $apr1$ hash', done.stdout)
        self.assertIn('"e?[2Jve": a hash of a kind', told[15])  # whoever writes that file writes no terminal
        self.assertNotIn("bob", done.stdout)

    def test_check_knows_what_the_emperor_that_runs_has_and_says(self):
        port, other = harness.free_port(), harness.free_port()
        e = self.emperor("--vassal-default", "threads=3")
        mine = e.drop("mine", extra="http = 127.0.0.1:%d" % port)
        e.drop("theirs", extra="http = 127.0.0.1:%d" % other)
        e.wait_up("mine")
        e.wait_up("theirs")
        done = e.ctl_text("check", str(mine))
        self.assertEqual((done.returncode, "in use" in done.stdout), (0, False), done.stdout)
        elsewhere = self.folder / "new.ini"
        text = "[vassal]\ndomain = %s\nchdir = %s\nmodule = hello\nhttp = 127.0.0.1:%d\nshow-config = true\n"
        elsewhere.write_text(text % ("mine.test", harness.APPS, harness.free_port()))
        done = subprocess.run([str(harness.BIN / "emperorctl"), "--run-dir", str(e.run_dir), "check", "new.ini"],
                              cwd=self.folder, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn('new.ini:2: note: mine.test: the app "mine" of the emperor that runs has it', done.stdout)
        self.assertIn("\nthreads = 3\n", done.stdout)
        elsewhere.write_text(text % ("new.test", harness.APPS, other))
        done = e.ctl_text("check", str(elsewhere))
        self.assertEqual(done.returncode, 1)
        self.assertIn('new.ini:5: http: 127.0.0.1:%d: the app "theirs" has this address' % other, done.stdout)
        beside = e.write("beside", text % ("mine.test", harness.APPS, harness.free_port()))
        done = e.ctl_text("check", str(beside))
        self.assertEqual(done.returncode, 1)
        self.assertIn("beside.ini:2: mine.test: mine.ini:2 has it too: one of the two will be refused", done.stdout)

    def test_check_warns_of_an_ini_that_a_root_emperor_refuses(self):
        if os.getuid() != 0:
            return  # only root's emperor refuses
        e = self.emperor()
        for name, mode in (("theirs", 0o666), ("roots", 0o644)):
            temporary = e.vassals / ("." + name)
            temporary.write_text("[vassal]\ndomain = %s.test\nchdir = %s\nmodule = hello\n" % (name, harness.APPS))
            os.chmod(temporary, mode)
            temporary.rename(e.vassals / (name + ".ini"))
        e.wait_up("roots")
        eventually(lambda: e.state("theirs")["last_error"], 10)
        for name, refused in (("theirs", True), ("roots", False)):
            done = e.ctl_text("check", str(e.vassals / (name + ".ini")))
            self.assertEqual(done.returncode, 0)
            self.assertEqual("an emperor that is root will refuse it" in done.stdout, refused, done.stdout)

    def test_apps_run_as_their_user_and_another_uid_is_refused_without_root(self):
        e = self.emperor()
        e.drop("a", "whoami", "uid = nobody")
        e.drop("b", "whoami")
        if os.getuid() != 0:
            row = eventually(lambda: (lambda r: r if r and r["last_error"] else None)(e.state("a")), 10)
            self.assertIn("nobody", row["last_error"])
            self.assertEqual(e.wait_up("b").text.split()[0], str(os.getuid()))
            return
        self.assertEqual(e.wait_up("a").text.split()[0], str(pwd.getpwnam("nobody").pw_uid))
        self.assertEqual(e.wait_up("b").text.split()[0], str(pwd.getpwnam("www-data").pw_uid))


class Logs(Case):
    def test_one_access_line_per_request_and_captured_output_in_the_apps_own_file(self):
        folder = self.folder / "logs"
        folder.mkdir()
        os.chmod(folder, 0o777)
        log = folder / "a.log"
        e = self.emperor()
        e.drop("a", "shapes", "logto = %s" % log)
        e.wait_up("a", "/plain")
        e.get("a", "/errors", headers={"X-Request-ID": "rid-77"})
        eventually(lambda: "said to stdout" in log.read_text() and "rid-77" in log.read_text(), 5)
        line = [l for l in log.read_text().splitlines() if "rid-77" in l][0]
        self.assertRegex(line, r'"?GET /errors.* 200 ')
        log.rename(folder / "a.log.1")
        e.ctl("reopen", "a")
        e.get("a", "/plain", headers={"X-Request-ID": "rid-78"})
        eventually(lambda: log.exists() and "rid-78" in log.read_text(), 5, "a new file after reopen")

    def test_logs_of_two_generations_come_in_the_order_of_time(self):
        e = self.emperor()
        e.drop("a", "shapes", "max-requests = 0")
        e.wait_up("a", "/plain")
        before = e.state("a")["generation"]
        with socket.create_connection(("127.0.0.1", e.port), 10) as slow:
            # the old generation answers this one after the new generation has begun to
            slow.sendall(b"POST /echo HTTP/1.1\r\nHost: a.test\r\nX-Request-ID: rid-old\r\nConnection: close\r\nContent-Length: 2\r\n\r\nx")
            reload = subprocess.Popen([str(harness.BIN / "emperorctl"), "--run-dir", str(e.run_dir), "reload", "a"],
                                      stdout=subprocess.DEVNULL)
            harness.started.add(reload.pid)
            eventually(lambda: e.state("a")["generation"] > before and
                       e.get("a", "/plain", headers={"X-Request-ID": "rid-new"}).status == 200, 15)
            time.sleep(0.01)  # the stamps have milliseconds
            slow.sendall(b"y")
            while slow.recv(65536):
                pass
        reload.wait(30)
        eventually(lambda: "rid-old" in e.ctl_text("logs", "a").stdout, 10)
        lines = e.ctl_text("logs", "a", "-n", "1000").stdout.splitlines()
        stamps = [line[:24] for line in lines if line[10:11] == "T" and line[23:24] == "Z"]
        self.assertGreater(len(stamps), 2)
        self.assertEqual(stamps, sorted(stamps))
        done = e.ctl_text("--json", "logs", "a", "-n", "1000")
        objects = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([o["line"] for o in objects], lines)
        self.assertEqual([o["time"] for o in objects if o["line"].startswith(o["time"] or "-")], stamps)

    def test_what_an_app_prints_commands_no_terminal_and_reaches_a_pipe_as_it_is(self):
        code = self.folder / "code"
        code.mkdir()
        (code / "loud.py").write_text("import sys\nsys.stdout.buffer.write(b'\\x1b[31mred\\x9b0m\\n')\nsys.stdout.flush()\n"
                                      "def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'x']\n")
        e = self.emperor()
        e.drop("loud", "loud", app=code)
        e.wait_up("loud")
        command = [str(harness.BIN / "emperorctl"), "--run-dir", str(e.run_dir), "logs", "loud"]
        eventually(lambda: b"\x1b[31mred\x9b0m\n" in subprocess.run(command, capture_output=True, timeout=60).stdout, 10)
        master, slave = pty.openpty()
        try:
            subprocess.run(command, stdout=slave, timeout=60, check=True)
            os.close(slave)
            shown = b""
            with contextlib.suppress(OSError):  # EIO: nobody has the other end any more
                while True:
                    shown += os.read(master, 65536)
        finally:
            os.close(master)
        self.assertIn(b"\\x1b[31mred\\x9b0m\r\n", shown)
        self.assertNotIn(b"\x1b", shown)

    def test_logs_command_shows_and_follows(self):
        e = self.emperor()
        e.drop("a", "shapes")
        e.wait_up("a", "/plain")
        e.get("a", "/errors")
        eventually(lambda: "said to stdout" in e.ctl_text("logs", "a").stdout, 5)
        follow = subprocess.Popen([str(harness.BIN / "emperorctl"), "--run-dir", str(e.run_dir), "logs", "a", "-f"],
                                  stdout=subprocess.PIPE, text=True)
        harness.started.add(follow.pid)
        try:
            e.get("a", "/raises")
            deadline = time.monotonic() + 10 * harness.PATIENCE
            for line in follow.stdout:
                if "raised on purpose" in line or time.monotonic() > deadline:
                    break
            self.assertIn("raised on purpose", line)
        finally:
            follow.kill()
            follow.wait()
            follow.stdout.close()


class Alone(Case):
    def test_vassal_app_ini_serves_without_an_emperor(self):
        port = harness.free_port()
        ini = self.folder / "app.ini"
        ini.write_text("[uwsgi]\nhttp = :%d\nchdir = %s\nwsgi-file = hello.py\nprocesses = 2\n" % (port, harness.APPS))
        daemon = self.vassal(str(ini))

        def up():
            try:
                return request(port, "/").status == 200
            except OSError:
                self.assertTrue(daemon.alive(), daemon.output())

        eventually(up, 15)
        daemon.stop()
        self.assertEqual(daemon.process.returncode, 0)

    def test_as_an_ordinary_user(self):
        if os.getuid() != 0:
            return  # every other test runs as an ordinary user then
        user = pwd.getpwnam("nobody")
        work = self.folder / "user"
        work.mkdir()
        os.chown(work, user.pw_uid, user.pw_gid)
        vassals = work / "vassals.d"
        vassals.mkdir()
        (vassals / "a.ini").write_text("[vassal]\ndomain = a.test\nchdir = %s\nmodule = whoami\n" % harness.APPS)
        (vassals / "b.ini").write_text("[vassal]\ndomain = b.test\nchdir = %s\nmodule = whoami\nuid = root\n" % harness.APPS)
        port = harness.free_port()
        daemon = harness.Daemon(self.folder, "user-emperor", [
            "setpriv", "--reuid", user.pw_uid, "--regid", user.pw_gid, "--clear-groups", harness.BIN / "emperor",
            "--vassals", vassals, "--http", "127.0.0.1:%d" % port, "--run-dir", work / "run", "--db", work / "db" / "history.db"])
        self.daemon(daemon)

        def up():
            try:
                return request(port, "/", host="a.test").status == 200
            except OSError:
                self.assertTrue(daemon.alive(), daemon.output())

        eventually(up, 15)
        self.assertEqual(request(port, "/", host="a.test").text.split()[0], str(user.pw_uid))
        eventually(lambda: "b.ini" in daemon.output() and "root" in daemon.output(), 5)


if __name__ == "__main__":
    unittest.main(verbosity=2)
