"""scripts/conformance: the suite's table, for ours and for those peers that are installed. For the record, not a test."""

import argparse
import concurrent.futures
import contextlib
import http.client
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import suite
import wire
from test_conformance import OPTIONS

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("EMPEROR_BUILD", HERE.parents[1] / "build" / "dev"))
PYTHON = "/usr/bin/python3"
MODULES = pathlib.Path("/usr/lib/apache2/modules")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def vassal(port, folder):
    arguments = ["--%s=%s" % item for item in OPTIONS.items()]
    return [BUILD / "bin" / "vassal", "--http", "127.0.0.1:%d" % port, "--chdir", folder, "--module", "app", *arguments]


def uwsgi_socket(port, folder):
    return ["uwsgi-core", "--plugin", "python3", "--http-socket", "127.0.0.1:%d" % port, "--chdir", folder, "--module", "app",
            "--master", "--processes", "2"]


def uwsgi_router(port, folder):
    return ["uwsgi-core", "--plugin", "python3,http", "--http", "127.0.0.1:%d" % port, "--http-keepalive", "--chdir", folder,
            "--module", "app", "--master", "--processes", "2"]


def gunicorn(port, folder):
    return [PYTHON, "/usr/bin/gunicorn", "--bind", "127.0.0.1:%d" % port, "--chdir", folder, "--threads", "16", "app"]


def waitress(port, folder):
    return [PYTHON, "-c", "import sys; sys.path.insert(0, sys.argv[2]); import app, waitress; "
            "waitress.serve(app.application, listen='127.0.0.1:' + sys.argv[1], threads=16)", port, folder]


def cheroot(port, folder):
    return [PYTHON, "-c", "import sys; sys.path.insert(0, sys.argv[2]); import app\nfrom cheroot import wsgi\n"
            "wsgi.Server(('127.0.0.1', int(sys.argv[1])), app.application, numthreads=16).start()", port, folder]


def mod_wsgi(port, folder):
    conf = folder / "apache.conf"
    conf.write_text("\n".join([
        "ServerRoot %s" % folder, "ServerName localhost", "Listen 127.0.0.1:%d" % port, "PidFile %s/pid" % folder,
        "ErrorLog %s/error.log" % folder, "User www-data", "Group www-data", "DocumentRoot %s" % folder,
        *["LoadModule %s_module %s/mod_%s.so" % (m, MODULES, m) for m in ("mpm_event", "authz_core", "wsgi")],
        "WSGIDaemonProcess app python-path=%s processes=2 threads=16" % folder, "WSGIProcessGroup app",
        "WSGIApplicationGroup %{GLOBAL}", "WSGIChunkedRequest On", "WSGIScriptAlias / %s/app.py" % folder, "WSGISocketPrefix %s/wsgi" % folder,
        "<Location />", "Require all granted", "</Location>", ""]))
    return ["/usr/sbin/apache2", "-f", conf, "-DFOREGROUND"]


PEERS = {  # name -> (how it is started, what must be there)
    "vassal": (vassal, BUILD / "bin" / "vassal"),
    "uwsgi": (uwsgi_socket, "/usr/bin/uwsgi-core"),
    "uwsgi-http": (uwsgi_router, "/usr/lib/uwsgi/plugins/http_plugin.so"),
    "gunicorn": (gunicorn, "/usr/bin/gunicorn"),
    "waitress": (waitress, "/usr/lib/python3/dist-packages/waitress"),
    "cheroot": (cheroot, "/usr/lib/python3/dist-packages/cheroot"),
    "mod_wsgi": (mod_wsgi, MODULES / "mod_wsgi.so"),
}


@contextlib.contextmanager
def running(name):
    """Yields its port. In a session of its own, so that all of it can be ended."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="emperor-conformance-"))
    folder.chmod(0o755)
    shutil.copy(HERE / "app.py", folder)
    port = free_port()
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen([str(a) for a in PEERS[name][0](port, folder)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   start_new_session=True)
    try:
        _wait(name, port, process, folder / "log")
        yield port
    finally:
        for sig in (signal.SIGINT if name.startswith("uwsgi") else signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, sig)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(name, port, process, log):
    deadline = time.monotonic() + 20
    while True:
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/probe", headers={"Connection": "close"})
            if connection.getresponse().status == 200:
                return
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit("%s does not answer:\n%s" % (name, log.read_text(errors="replace")[-2000:]))
        time.sleep(0.05)


def ask(name):
    with running(name) as port, concurrent.futures.ThreadPoolExecutor(8) as pool:
        ours = name == "vassal"
        return list(pool.map(lambda c: wire.verdict(port, c, None, ours, 12 if ours else 5), suite.CASES))


def show(names, columns, everything):
    width = max(len(c.name) for c in suite.CASES)
    group = None
    for i, case in enumerate(suite.CASES):
        cells = [columns[n][i] for n in names]
        if not everything and not any(cells):
            continue
        if case.group != group:
            group = case.group
            print("\n%s" % group)
        print("  %-*s  %-12s" % (width, case.name, case.rfc) + "".join("  %s: %s" % (n, c) for n, c in zip(names, cells) if c))
    print("\n%-14s" % "right, of all" + "".join("%12s" % n for n in names))
    for group, _ in suite.GROUPS:
        members = [i for i, c in enumerate(suite.CASES) if c.group == group]
        right = [sum(not columns[n][i] for i in members) for n in names]
        print("%-14s" % group + "".join("%12s" % ("%d/%d" % (r, len(members))) for r in right))
    print("%-14s" % "all" + "".join("%12s" % ("%d/%d" % (sum(not c for c in columns[n]), len(suite.CASES))) for n in names))


def main():
    parser = argparse.ArgumentParser(prog="scripts/conformance")
    parser.add_argument("--all", action="store_true", help="also the cases that everybody answers rightly")
    parser.add_argument("peers", nargs="*", metavar="SERVER", help=", ".join(PEERS))
    arguments = parser.parse_args()
    names = arguments.peers or list(PEERS)
    for name in [n for n in names if n not in PEERS or not os.path.exists(PEERS[n][1])]:
        print("%s is not here: left out" % name)
        names = [n for n in names if n != name]
    columns = {}
    for name in names:
        print("asking %s" % name, file=sys.stderr, flush=True)
        columns[name] = ask(name)
    show(names, columns, arguments.all)
    sys.exit(1 if any(columns.get("vassal", [])) else 0)


if __name__ == "__main__":
    main()
