"""The servers that are measured, ours and peers, each started on a free port with the same app."""

import atexit
import contextlib
import ctypes
import http.client
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from ports import free_port  # noqa: E402

TOP = pathlib.Path(__file__).resolve().parents[2]
BIN = TOP / "build" / "release" / "bin"
EXAMPLES = TOP / "vassals.d.example" / "apps"
PYTHON = "/usr/bin/python3"
_alive = []


def get(port, path="/", host="localhost", timeout=10):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        c.request("GET", path, headers={"Host": host, "Connection": "close"})
        answer = c.getresponse()
        answer.read()
        return answer.status
    finally:
        c.close()


# What a killed emperor leaves becomes our child (PR_SET_CHILD_SUBREAPER), so that it is found and ended.
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


def _below(root):
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                with open("/proc/%s/stat" % entry, errors="replace") as f:  # a name may be any bytes
                    state, parent = f.read().rsplit(")", 1)[1].split()[:2]
                if state != "Z":
                    children.setdefault(int(parent), []).append(int(entry))
    found, level = [], [root]
    while level:
        level = [child for parent in level for child in children.get(parent, [])]
        found += level
    return found


def _title(pid):
    with contextlib.suppress(OSError):
        with open("/proc/%d/cmdline" % pid, "rb") as f:
            return f.read().replace(b"\0", b" ").decode(errors="replace").strip()
    return ""


def ours():
    """pid -> title, of all that we have started and that this has orphaned."""
    return {pid: _title(pid) for pid in _below(os.getpid())}


class Server:
    """A server and all processes that descend from it, found by a mark in their environment."""

    def __init__(self, name, argv, port, cwd=None, host="localhost", path="/", env=None):
        self.name, self.port, self.host = name, port, host
        self.settle_s = 0.2  # after an app has gone to sleep
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="emperor-bench-"))
        os.chmod(self.folder, 0o755)
        self.log = open(self.folder / "log", "wb")
        self.argv, self.cwd, self.env = [str(a) for a in argv], cwd, dict(os.environ, **(env or {}))
        self.start_again()
        _alive.append(self)
        if port:
            self.wait(path)

    def start_again(self):
        self.process = subprocess.Popen(
            self.argv, cwd=self.cwd, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=self.env)

    def wait(self, path="/", seconds=30, host=None):
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if get(self.port, path, host or self.host) == 200:
                    return
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("%s does not answer:\n%s" % (self.name, self.output()[-3000:]))
            time.sleep(0.02)

    def output(self):
        return (self.folder / "log").read_text(errors="replace")

    def pids(self):
        """The process and all its descendants."""
        return [self.process.pid, *_below(self.process.pid)]

    def cpu_s(self, pids=None):
        """CPU seconds of all threads so far (schedstat: nanoseconds)."""
        total = 0
        for pid in pids if pids is not None else self.pids():
            with contextlib.suppress(OSError):
                for task in os.listdir("/proc/%d/task" % pid):
                    with contextlib.suppress(OSError):
                        with open("/proc/%d/task/%s/schedstat" % (pid, task)) as f:
                            total += int(f.read().split()[0])
        return total / 1e9

    def pss_kib(self, pids=None):
        total = 0
        for pid in pids if pids is not None else self.pids():
            total += pss_of(pid)
        return total

    def titles(self):
        """pid -> what ps shows."""
        return {pid: _title(pid) for pid in self.pids()}

    def stop(self):
        if self in _alive:
            _alive.remove(self)
        pids = self.pids()
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGINT if "uwsgi" in self.name else signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pid in pids:
            if not os.path.exists("/proc/%d" % pid):
                continue
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


@atexit.register
def _stop_all():
    for server in list(_alive):
        server.stop()
    for pid in _below(os.getpid()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def pss_of(pid):
    with contextlib.suppress(OSError):
        with open("/proc/%d/smaps_rollup" % pid) as f:
            for line in f:
                if line.startswith("Pss:"):
                    return int(line.split()[1])
    return 0


APPS = {  # name -> (folder, module, callable, path)
    "hello": (EXAMPLES / "hello", "hello", "application", "/"),
    "flask": (EXAMPLES / "flask_app", "site_app", "app", "/json"),
    "django": (EXAMPLES / "django_app", "guestbook.wsgi", "application", "/"),
    "post": (TOP / "tests" / "bench", "bodies", "application", "/echo"),
    "stream": (TOP / "tests" / "bench", "bodies", "application", "/stream"),
}


def vassal(app, workers=1, *extra):
    folder, module, callable_, path = APPS[app]
    port = free_port()
    return Server("vassal", [BIN / "vassal", "--http", "127.0.0.1:%d" % port, "--chdir", folder, "--module", module,
                             "--callable", callable_, "--processes", str(workers), "--disable-logging", *extra],
                  port, path=path)


def emperor(app=None, workers=1, extra=""):
    """An emperor with at most one app, on its shared port and on an address of its own (own_port)."""
    port, own = free_port(), free_port()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="emperor-bench-vassals-"))
    os.chmod(folder, 0o755)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    vassals = folder / "vassals.d"
    vassals.mkdir()
    server = Server("emperor", [BIN / "emperor", "--vassals", vassals, "--http", "127.0.0.1:%d" % port, "--run-dir",
                                folder / "run", "--db", folder / "db" / "emperor.db"], 0, host="app.test")
    server.port, server.own_port, server.vassals, server.run_dir = port, own, vassals, folder / "run"
    if app:
        app_folder, module, callable_, path = APPS[app]
        (vassals / "app.ini").write_text(
            "[vassal]\ndomain = app.test\nhttp = 127.0.0.1:%d\nchdir = %s\nmodule = %s\ncallable = %s\n"
            "processes = %d\ndisable-logging = true\n%s\n" % (own, app_folder, module, callable_, workers, extra))
        server.wait(path)
    return server


def uwsgi(app, workers=1, *extra):
    folder, module, callable_, path = APPS[app]
    port = free_port()
    return Server("uwsgi", ["/usr/bin/uwsgi-core", "--plugin", "python3", "--http-socket", "127.0.0.1:%d" % port,
                            "--chdir", folder, "--module", module, "--callable", callable_, "--master", "--processes",
                            str(workers), "--disable-logging", "--listen", "1024", "--need-app", *extra],
                  port, path=path)


def _socket_of(name):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="emperor-bench-socket-"))
    os.chmod(folder, 0o755)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder / (name + ".sock")


def at_socket(kind, app, workers=1):
    """"vassal" or "uwsgi" speaking uwsgi on a UNIX socket that everybody may use."""
    folder, module, callable_, path = APPS[app]
    socket_path = _socket_of(kind)
    ours = kind == "vassal"
    argv = [BIN / "vassal"] if ours else ["/usr/bin/uwsgi-core", "--plugin", "python3", "--master", "--need-app"]
    argv += ["--uwsgi-socket" if ours else "--socket", socket_path, "--chmod-socket=666", "--chdir", folder, "--module", module,
             "--callable", callable_, "--processes", str(workers), "--disable-logging", "--listen", "1024"]
    server = Server(kind, argv, 0)
    server.socket = socket_path
    deadline = time.monotonic() + 10
    while not socket_path.exists():
        if time.monotonic() > deadline:
            raise SystemExit("%s does not listen:\n%s" % (kind, server.output()[-3000:]))
        time.sleep(0.02)
    return server


def _listens(port):
    """Seen from outside: a connection would wake who sleeps."""
    with open("/proc/net/tcp") as f:
        return any(line.split()[1].endswith(":%04X" % port) and line.split()[3] == "0A" for line in list(f)[1:])


def uwsgi_on_demand(app, idle_s=1):
    """uWSGI's Emperor with an app that starts with its first connection and dies when it is idle."""
    folder, module, callable_, _ = APPS[app]
    port = free_port()
    vassals = pathlib.Path(tempfile.mkdtemp(prefix="emperor-bench-uwsgi-"))
    atexit.register(shutil.rmtree, vassals, ignore_errors=True)
    (vassals / "app.ini.socket").write_text("127.0.0.1:%d\n" % port)
    (vassals / "app.ini").write_text(
        "[uwsgi]\nplugin = python3\nprotocol = http\nchdir = %s\nmodule = %s\ncallable = %s\nmaster = true\n"
        "processes = 1\ndisable-logging = true\nneed-app = true\nidle = %d\ndie-on-idle = true\n"
        % (folder, module, callable_, idle_s))
    server = Server("uwsgi", ["/usr/bin/uwsgi-core", "--emperor", vassals, "--emperor-on-demand-extension", ".socket"], 0)
    server.port = port
    server.settle_s = 4  # until its emperor has noticed
    deadline = time.monotonic() + 10
    while not _listens(port):
        if time.monotonic() > deadline:
            raise SystemExit("uwsgi's emperor does not listen:\n" + server.output()[-3000:])
        time.sleep(0.02)
    return server


def gunicorn(app, workers=1, *extra):
    folder, module, callable_, path = APPS[app]
    port = free_port()
    return Server("gunicorn", [PYTHON, "/usr/bin/gunicorn", "--bind", "127.0.0.1:%d" % port, "--chdir", folder,
                               "--workers", str(workers), *extra, "%s:%s" % (module, callable_)], port, path=path)


def files(sizes):
    """A folder with a file of each size, named by it."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="emperor-bench-files-"))
    os.chmod(folder, 0o755)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for size in sizes:
        (folder / ("%d.bin" % size)).write_bytes(os.urandom(size))
    return folder


def nginx(folder):
    """nginx as one sets it up for files: sendfile, tcp_nopush, one worker, no access log."""
    return _nginx(folder, "location /s/ { alias %s/; }" % folder, "/s/" + next(f.name for f in folder.iterdir() if f.suffix == ".bin"))


def nginx_before(peer):
    """nginx that passes all requests on by uwsgi_pass, with Debian's uwsgi_params, to the peer's socket."""
    return _nginx(peer.folder, "location / { include /etc/nginx/uwsgi_params; uwsgi_pass unix:%s; }" % peer.socket, "/")


def _nginx(folder, location, path):
    port = free_port()
    conf = folder / ".nginx.conf"
    conf.write_text(
        "daemon off; worker_processes 1; pid %(d)s/.pid; error_log stderr warn;\n"
        "events { worker_connections 1024; }\n"
        "http { access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; default_type application/octet-stream;\n"
        "client_body_temp_path %(d)s/.b; proxy_temp_path %(d)s/.p; fastcgi_temp_path %(d)s/.f; uwsgi_temp_path %(d)s/.u;\n"
        "scgi_temp_path %(d)s/.s; server { listen 127.0.0.1:%(port)d; %(location)s } }\n"
        % {"d": folder, "port": port, "location": location})
    return Server("nginx", ["/usr/sbin/nginx", "-p", folder, "-c", conf], port, path=path)
