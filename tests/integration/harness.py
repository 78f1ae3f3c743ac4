"""Black-box tests: real daemons in a scratch folder, real clients on loopback.

Every test case gets an Emperor of its own on free ports, and fails if a process of it is left behind. Nothing here
sleeps for luck: eventually() waits for a condition, with a limit.
"""

import atexit
import contextlib
import ctypes
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from ports import free_port  # noqa: F401  all tests have it from here

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("EMPEROR_BUILD", TOP / "build" / "dev"))


def _reachable(path):
    """May any user look into this folder?"""
    return all(p.stat().st_mode & 0o001 for p in [path, *path.parents])


def _for_everyone(folders):
    """The folders themselves, or copies where every user can read: a root emperor runs apps as another one."""
    if os.getuid() != 0 or all(_reachable(f) for f in folders):
        return folders
    copy = pathlib.Path(tempfile.mkdtemp(prefix="emperor-test-copy-"))
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    copies = []
    for folder in folders:
        # siblings stay siblings: bin finds ../libexec
        target = copy / folder.parent.name / folder.name
        shutil.copytree(folder, target)
        copies.append(target)
    subprocess.run(["chmod", "-R", "go+rX", str(copy)], check=True)
    return copies


BIN, _LIBEXEC, APPS, EXAMPLES = _for_everyone(
    [BUILD / "bin", BUILD / "libexec", TOP / "tests" / "apps", TOP / "vassals.d.example"]
)
# Sanitizers and a loaded machine are slow; conditions are awaited this many times longer.
PATIENCE = float(os.environ.get("EMPEROR_PATIENCE", "1"))


def eventually(condition, seconds=10.0, what="condition"):
    """Waits until condition() is true and returns what it returned."""
    deadline = time.monotonic() + seconds * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError("%s not true within %g s" % (what, seconds * PATIENCE))
        time.sleep(0.01)


def faketime(library):
    """Its path, whatever the machine is: scripts/packages installs it."""
    for path in pathlib.Path("/usr/lib").glob("*/faketime/" + library):
        return str(path)
    raise AssertionError("%s is not installed: scripts/packages test" % library)


# Whatever a daemon leaves behind becomes our child (PR_SET_CHILD_SUBREAPER), so nothing can hide in a session of its own.
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


def process_tree():
    """pid -> parent, of all that are alive (zombies are not)."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                with open("/proc/%s/stat" % entry, errors="replace") as f:  # a name may be any bytes
                    state, parent = f.read().rsplit(")", 1)[1].split()[:2]
                if state != "Z":
                    parents[int(entry)] = int(parent)
    return parents


def descendants(root, parents=None):
    parents = parents or process_tree()
    found, level = [], [root]
    while level:
        level = [pid for pid, parent in parents.items() if parent in level]
        found += level
    return found


def title(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path("/proc/%d/cmdline" % pid).read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    return ""


def open_files(pid):
    """What its descriptors point to. Those that are closed while we look do not count."""
    names = []
    for fd in pathlib.Path("/proc/%d/fd" % pid).iterdir():
        with contextlib.suppress(FileNotFoundError):
            names.append(os.readlink(fd))
    return names


started = set()  # pids that tests started themselves


class Response:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode("latin-1")


def request(port, path="/", host="localhost", method="GET", body=None, headers=None, timeout=10, address="127.0.0.1"):
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection(address, port, timeout=timeout * PATIENCE)
    try:
        fields = {"Host": host, "Connection": "close"}
        fields.update(headers or {})
        connection.request(method, path, body=body, headers=fields)
        answer = connection.getresponse()
        return Response(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def raw(port, data, timeout=5, shutdown=False, address="127.0.0.1"):
    """Sends bytes, returns everything until the peer closes."""
    with socket.create_connection((address, port), timeout=timeout * PATIENCE) as s:
        s.sendall(data)
        if shutdown:
            s.shutdown(socket.SHUT_WR)
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while True:
                piece = s.recv(65536)
                if not piece:
                    break
                received += piece
        return received


def until(s, words, data=b""):
    """What came, behind data, up to these words at least; an end before them is a failure."""
    while words not in data:
        piece = s.recv(65536)
        assert piece, data
        data += piece
    return data


class Daemon:
    """A program of ours in the foreground; its output goes to a file that tests may read."""

    def __init__(self, folder, name, argv, env=None):
        self.log_path = folder / (name + ".log")
        environment = dict(os.environ, **(env or {}))
        self.log = open(self.log_path, "wb")
        self.process = subprocess.Popen(
            [str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=environment
        )
        started.add(self.process.pid)

    def output(self):
        return self.log_path.read_text(errors="replace")

    def alive(self):
        return self.process.poll() is None

    def stop(self, sig=signal.SIGTERM, seconds=15):
        if self.alive():
            self.process.send_signal(sig)
        try:
            self.process.wait(seconds * PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            self.end_strays()
            raise AssertionError("did not stop within %g s:\n%s" % (seconds * PATIENCE, self.output()[-4000:]))
        self.log.close()

    def strays(self):
        """What descends from this daemon, and what it has orphaned."""
        parents = process_tree()
        orphans = [pid for pid, parent in parents.items() if parent == os.getpid() and pid not in started]
        found = descendants(self.process.pid, parents)
        for pid in orphans:
            found += [pid, *descendants(pid, parents)]
        return found

    def end_strays(self):
        for pid in self.strays():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


class Emperor(Daemon):
    def __init__(self, folder, args=(), http=True, env=None):
        self.folder = folder
        self.vassals = folder / "vassals.d"
        self.vassals.mkdir(exist_ok=True)
        self.run_dir = folder / "run"
        self.db = folder / "db" / "emperor.db"
        self.port = free_port()
        argv = [BIN / "emperor", "--vassals", self.vassals, "--run-dir", self.run_dir, "--db", self.db]
        if http:
            argv += ["--http", "127.0.0.1:%d" % self.port]
        super().__init__(folder, "emperor", argv + list(args), env)
        eventually(lambda: not self.alive() or self.hears() and (not http or self.listens()), 10, "control socket and gate")
        if not self.alive():
            raise AssertionError("emperor did not start:\n" + self.output())

    def hears(self):
        """Its name is there a moment before anybody listens."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as s:
            s.connect(str(self.run_dir / "control.sock"))
            return True

    def listens(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True

    def ctl(self, *args, check=True):
        """emperorctl with --json; returns what it printed, parsed."""
        done = self.ctl_text("--json", *args)
        if check and done.returncode != 0:
            raise AssertionError("emperorctl %s: %d\n%s%s" % (args, done.returncode, done.stdout, done.stderr))
        return json.loads(done.stdout) if done.stdout.strip() else None

    def ctl_text(self, *args):
        return subprocess.run(
            [str(BIN / "emperorctl"), "--run-dir", str(self.run_dir)] + list(args),
            capture_output=True, text=True, timeout=60 * PATIENCE,
        )

    def write(self, name, text):
        """Drops an ini as deploy tools do: written beside, renamed into place."""
        path = self.vassals / (name + ".ini")
        temporary = self.vassals / ("." + name + ".new")
        temporary.write_text(text)
        temporary.rename(path)
        return path

    def drop(self, name, module="hello", extra="", app=None, domain=None):
        return self.write(
            name,
            "[vassal]\ndomain = %s\nchdir = %s\nmodule = %s\n%s\n"
            % (domain or name + ".test", app or APPS, module, extra),
        )

    def get(self, app, path="/", **kw):
        return request(self.port, path, host=kw.pop("host", app + ".test"), **kw)

    def wait_up(self, app, path="/", seconds=15, status=200):
        def up():
            with contextlib.suppress(OSError, http.client.HTTPException):
                answer = self.get(app, path)
                return answer if answer.status == status else None

        try:
            return eventually(up, seconds, "%s answers %d" % (app, status))
        except AssertionError as e:
            raise AssertionError("%s\n%s" % (e, self.output()[-6000:])) from None

    def state(self, app):
        for row in self.ctl("status")["apps"]:
            if row["name"] == app:
                return row
        return None

    def wait_state(self, app, state, seconds=15):
        return eventually(lambda: (lambda s: s if s and s["state"] == state else None)(self.state(app)), seconds,
                          "%s is %s" % (app, state))


class Case(unittest.TestCase):
    """A scratch folder; every daemon started through it is stopped and must leave no process behind."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="emperor-test-"))
        os.chmod(self.folder, 0o755)
        self.daemons = []
        self.addCleanup(self._finish)

    def _finish(self):
        problems = []
        for daemon in reversed(self.daemons):
            try:
                daemon.stop()
            except AssertionError as e:
                problems.append(str(e))
        for daemon in self.daemons:
            try:
                eventually(lambda d=daemon: not d.strays(), 10, "no process left behind")
            except AssertionError:
                names = ["%d %s" % (pid, title(pid)) for pid in daemon.strays()]
                daemon.end_strays()
                problems.append("left behind: %s\n%s" % (names, daemon.output()[-3000:]))
            if re.search(r"ERROR: (Address|Leak)Sanitizer|runtime error:", daemon.output()):
                problems.append("sanitizer:\n" + daemon.output()[-8000:])
        failed = problems or any(e for _, e in getattr(self._outcome, "errors", []) if e) or (
            getattr(self._outcome, "result", None) is not None
            and any(t is self for t, _ in self._outcome.result.failures + self._outcome.result.errors)
        )
        if failed:
            for daemon in self.daemons:
                sys.stderr.write("--- %s\n%s\n" % (daemon.log_path, daemon.output()[-5000:]))
        shutil.rmtree(self.folder, ignore_errors=True)
        if problems:
            raise AssertionError("\n".join(problems))

    def daemon(self, daemon):
        self.daemons.append(daemon)
        return daemon

    def emperor(self, *args, **kw):
        return self.daemon(Emperor(self.folder, args, **kw))

    def vassal(self, *args, name="vassal", env=None, cwd=None):
        argv = [BIN / "vassal"] + list(args)
        return self.daemon(Daemon(self.folder, name, argv, env))

    def nginx(self, server, port):
        """A real nginx with this server block's content."""
        folder = self.folder / "nginx"
        folder.mkdir()
        conf = folder / "nginx.conf"
        conf.write_text(
            "daemon off; master_process off; pid %(d)s/pid; error_log stderr warn;\n"
            "events { worker_connections 256; }\n"
            "http { access_log off; client_body_temp_path %(d)s/b; proxy_temp_path %(d)s/p;\n"
            "fastcgi_temp_path %(d)s/f; uwsgi_temp_path %(d)s/u; scgi_temp_path %(d)s/s;\n"
            "client_max_body_size 0;\n"
            "server { listen 127.0.0.1:%(port)d; %(server)s } }\n" % {"d": folder, "port": port, "server": server}
        )
        daemon = self.daemon(Daemon(self.folder, "nginx", ["/usr/sbin/nginx", "-p", folder, "-c", conf]))

        def listens():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return True

        eventually(listens, 10, "nginx listens")
        return daemon


def main():
    unittest.main(verbosity=2)
