"""What one app's user cannot do to the emperor, its roles and the other apps."""

import contextlib
import ctypes
import os
import pathlib
import pwd
import signal
import socket
import unittest

import harness
from harness import Case, eventually, open_files

as_root = unittest.skipUnless(os.getuid() == 0, "only root runs apps as others")
LIBC = ctypes.CDLL(None, use_errno=True)
SYS_PIDFD_GETFD = 438
APP = "nobody"


def try_as(user, function):
    """The exit code of function() in a child that is this user and cannot go back."""
    entry = pwd.getpwnam(user)
    child = os.fork()
    if child == 0:
        code = 99
        with contextlib.suppress(BaseException):
            os.setgroups([])
            os.setgid(entry.pw_gid)
            os.setuid(entry.pw_uid)
            code = function()
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def descriptors_taken(pid):
    """How many of a process's descriptors can be taken out of it."""
    taken = 0
    with contextlib.suppress(OSError):
        process = os.pidfd_open(pid)
        for fd in range(40):
            got = LIBC.syscall(SYS_PIDFD_GETFD, process, fd, 0)
            if got >= 0:
                taken += 1
                os.close(got)
    return taken


@as_root
class Roles(Case):
    def roles(self, e):
        tree = harness.process_tree()
        found = {harness.title(pid): pid for pid, parent in tree.items() if parent == e.process.pid}
        return [pid for name, pid in found.items() if name.startswith(("emperor: gate", "emperor: stats"))]

    def test_not_even_a_process_of_the_same_user_takes_a_roles_descriptors(self):
        e = self.emperor()
        roles = eventually(lambda: (lambda r: r if len(r) == 2 else None)(self.roles(e)), 10, "both roles")
        users = set()
        for pid in roles:
            uid = pathlib.Path("/proc/%d/status" % pid).read_text().split("Uid:")[1].split()[0]
            users.add(uid)
            name = pwd.getpwuid(int(uid)).pw_name
            self.assertEqual(try_as(name, lambda pid=pid: descriptors_taken(pid)), 0, harness.title(pid))
        self.assertEqual(len(users), 2, "each role has a user of its own")
        self.assertNotIn(str(pwd.getpwnam(APP).pw_uid), users)

    def test_an_app_that_would_run_as_a_role_is_refused_with_the_reason(self):
        e = self.emperor("--gate-user", APP)
        e.drop("a", extra="uid = " + APP)
        row = eventually(lambda: (lambda r: r if r and r["last_error"] else None)(e.state("a")), 15, "refused")
        self.assertIn("gate-user", row["last_error"])
        e.drop("a", extra="uid = games\ngid = games")
        e.wait_up("a")

    def test_check_knows_the_users_of_the_roles_of_the_emperor_that_runs(self):
        e = self.emperor("--gate-user", "games")
        ini = self.folder / "staged.ini"
        for user, code, says in (("games", 1, 'staged.ini:2: uid = games: no app may run as "games", the emperor\'s gate-user'),
                                 ("sys", 1, "the emperor's stats-user"), ("uucp", 0, "")):
            ini.write_text("[vassal]\nuid = %s\nmodule = hello\nchdir = %s\ndomain = x.test\n" % (user, harness.APPS))
            done = e.ctl_text("check", str(ini))
            self.assertEqual(done.returncode, code, done.stdout)
            self.assertIn(says, done.stdout)


@as_root
class Pidfiles(Case):
    def pid(self, path):
        return int(path.read_text() or 0) if path.exists() else None

    def test_root_writes_the_pid_of_an_app_that_may_not(self):
        pidfile = self.folder / "own" / "one.pid"
        pidfile.parent.mkdir(mode=0o755)
        e = self.emperor()
        ini = e.drop("one", extra="uid = %s\npidfile = %s" % (APP, pidfile))
        e.wait_up("one")

        def serves():
            row = e.state("one")
            return row["pid"] if row["state"] == "running" and row["pid"] == self.pid(pidfile) else None

        first = eventually(serves, 10, "the pid of the front")
        self.assertEqual((pidfile.stat().st_uid, pidfile.stat().st_mode & 0o777), (0, 0o644))
        e.ctl("reload", "one")
        second = eventually(lambda: (lambda p: p if p and p != first else None)(serves()), 10, "the pid of the next one")
        # the older one is gone: it has left what is not its own
        eventually(lambda: not os.path.exists("/proc/%d" % first), 15, "the older front leaves")
        self.assertEqual(self.pid(pidfile), second)
        os.kill(second, signal.SIGKILL)
        eventually(lambda: (serves() or second) != second, 15, "the pid of one that comes after a crash")
        status = e.ctl("status", "one")["apps"][0]
        self.assertEqual(status["warnings"], 0, status["notes"])
        self.assertNotIn("pidfile", e.output())
        # and an emperor that has not written it itself
        third = eventually(serves, 15, "it serves")
        e.stop(signal.SIGKILL)
        e = self.emperor()
        eventually(lambda: serves() == third, 15, "the app is taken over")
        ini.unlink()
        eventually(lambda: not pidfile.exists(), 15, "the file goes with its app")

    def test_a_pidfile_that_nobody_writes_is_told_of(self):
        shared = self.folder / "shared"
        shared.mkdir()
        os.chown(shared, 0, 1)
        shared.chmod(0o775)
        precious = self.folder / "own" / "precious"
        precious.parent.mkdir(mode=0o755)
        precious.write_text("no pid\n")
        e = self.emperor()
        for name, path, why in (("one", shared / "one.pid", "Permission denied"), ("two", precious, "is something else than a file with a pid")):
            with self.subTest(app=name):
                e.drop(name, extra="uid = %s\npidfile = %s" % (APP, path))
                e.wait_up(name)
                note = "pidfile: %s: %s" % (path, why)
                eventually(lambda: note in e.ctl("status", name)["apps"][0]["notes"], 10, "the note")
                self.assertEqual(e.ctl("status", name)["apps"][0]["warnings"], 1)
                eventually(lambda: note in e.ctl_text("events", name).stdout, 10, "the event")
                self.assertEqual(e.output().count(note), 1)
        self.assertEqual(precious.read_text(), "no pid\n")
        self.assertFalse((shared / "one.pid").exists())


@as_root
class Log(Case):
    def test_an_app_holds_no_descriptor_of_the_emperors_log(self):
        log = self.folder / "emperor.log"
        e = self.emperor("--logto", str(log))
        e.drop("a", "said", "uid = " + APP, app=self.app())
        e.wait_up("a")
        eventually(lambda: "words of the app" in log.read_text(), 10, "what the app says is in the log")
        tree = harness.process_tree()
        mine = [p for p in harness.descendants(e.process.pid, tree)
                if os.stat("/proc/%d" % p).st_uid == pwd.getpwnam(APP).pw_uid]
        self.assertTrue(mine)
        for pid in mine:
            self.assertNotIn(str(log), open_files(pid), harness.title(pid))
        e.ctl("reload", "a")
        eventually(lambda: log.read_text().count("words of the app") >= 2, 10, "the next generation is heard too")

    def app(self):
        folder = self.folder / "app"
        folder.mkdir()
        (folder / "said.py").write_text(
            "import sys\nprint('words of the app', file=sys.stderr, flush=True)\n"
            "def application(environ, start_response):\n"
            "    start_response('200 OK', [])\n    return [b'ok']\n")
        return folder


@as_root
class Sockets(Case):
    def test_roots_sockets_stay_when_an_app_swaps_its_directory_for_a_link(self):
        user = pwd.getpwnam(APP)
        own, moved, victim = (self.folder / n for n in ("own", "moved", "victim"))
        own.mkdir()
        os.chown(own, user.pw_uid, user.pw_gid)
        victim.mkdir()
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(str(victim / "a.sock"))  # stale: nobody listens
        e = self.emperor()
        e.drop("a", extra="uid = %s\nhttp-socket = %s/a.sock" % (APP, own))
        e.wait_up("a")
        self.assertTrue((own / "a.sock").exists())
        own.rename(moved)
        own.symlink_to(victim)
        e.drop("a", extra="uid = %s\nhttp-socket = 127.0.0.1:%d" % (APP, harness.free_port()))
        eventually(lambda: e.state("a")["state"] == "running" and "127.0.0.1" in str(e.state("a")), 15, "moved on")
        (e.vassals / "a.ini").unlink()
        eventually(lambda: e.state("a") is None, 15, "gone")
        self.assertTrue((victim / "a.sock").exists(), "root's socket has been removed")

    def test_a_directory_that_the_user_may_not_write_is_named_with_the_user(self):
        e = self.emperor()
        closed = self.folder / "closed"
        closed.mkdir()
        e.drop("a", extra="uid = %s\nhttp-socket = %s/a.sock" % (APP, closed))
        row = eventually(lambda: (lambda r: r if r and r["last_error"] else None)(e.state("a")), 15, "refused")
        self.assertIn("user %s may not create files in %s" % (APP, closed), row["last_error"])


@as_root
class Tenants(Case):
    def put(self, path, text, user):
        path.write_text(text)
        os.chown(path, user.pw_uid, user.pw_gid)

    def test_a_name_that_runs_is_not_taken_over_from_an_earlier_directory(self):
        games, nobody = pwd.getpwnam("games"), pwd.getpwnam(APP)
        later = self.folder / "later"
        later.mkdir()
        text = "[vassal]\ndomain = a.test\nchdir = %s\nmodule = whoami\n" % harness.APPS
        self.put(later / "a.ini", text, games)
        e = self.emperor("--vassals", str(later), "--tyrant")
        self.assertEqual(e.wait_up("a").text.split()[0], str(games.pw_uid))
        self.put(e.vassals / "a.ini", text, nobody)
        e.process.send_signal(signal.SIGHUP)
        eventually(lambda: "has the same name" in e.output(), 15, "said")
        self.assertEqual(e.wait_up("a").text.split()[0], str(games.pw_uid))

    def test_links_to_others_files_and_privileged_ports_are_refused(self):
        games, nobody = pwd.getpwnam("games"), pwd.getpwnam(APP)
        text = "[vassal]\ndomain = %s.test\nchdir = " + str(harness.APPS) + "\nmodule = whoami\n"
        target = self.folder / "private.ini"
        self.put(target, text % "a", games)
        e = self.emperor("--tyrant")
        (e.vassals / "a.ini").symlink_to(target)
        os.chown(e.vassals / "a.ini", nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)
        self.put(e.vassals / "b.ini", text % "b" + "http-socket = 127.0.0.1:1\n", games)
        for name, words in (("a", "a link on the way"), ("b", "ports below")):
            row = eventually(lambda name=name: (lambda r: r if r and r["last_error"] else None)(e.state(name)), 15, name)
            self.assertIn(words, row["last_error"])


if __name__ == "__main__":
    harness.main()
