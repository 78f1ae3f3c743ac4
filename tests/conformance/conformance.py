"""scripts/conformance: a table for each suite, of ours and of those peers that are installed. For the record, not a test."""

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

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

import ports  # noqa: E402
from peers import EVERYBODY  # noqa: E402
from suites import OURS, SUITES  # noqa: E402

BUDGET_S = 180  # for all cases of one server: who hangs is not asked for ever
UP_S = 20
NOT_ASKED, LATE = None, "not asked in time"


class Served:
    """A server that runs: in a folder of its own, in sessions of its own, so that all of it can be ended."""

    def __init__(self, suite, name):
        self.suite, self.name, self.processes = suite, name, []
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="emperor-conformance-"))
        self.folder.chmod(0o755)
        suite.prepare(self.folder)

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        self.ports = {key: ports.free_port() for key in self.suite.keys}
        for argv in self.suite.servers[self.name][0](self.folder, self.ports):
            with open(self.folder / "log", "ab") as log:
                self.processes.append(subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                       start_new_session=True))
        deadline = time.monotonic() + UP_S
        for port in self.suite.waits_for(self.ports):
            while not self.answers(port, 5):
                if [p for p in self.processes if p.poll() is not None] or time.monotonic() > deadline:
                    raise SystemExit("%s does not answer:\n%s" % (self.name, self.log()[-2000:]))
                time.sleep(0.05)

    def stop(self):
        for process in self.processes:
            for sig in (signal.SIGINT if self.name.startswith("uwsgi") else signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, sig)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(5)
        self.processes = []

    def answers(self, port, seconds):
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
            with contextlib.closing(connection):
                connection.request("GET", self.suite.probe, headers={"Connection": "close"})
                return connection.getresponse().status == 200
        return False

    def get(self, key, path):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.ports[key], timeout=5)) as connection:
            connection.request("GET", path, headers={"Connection": "close"})
            response = connection.getresponse()
            response.read()
            return response

    def log(self):
        texts = [p.read_text(errors="replace") for p in (self.folder / "log", self.folder / "error.log") if p.exists()]
        return "".join(texts)

    def recover(self):
        """After a case that went wrong: is anybody still there?"""
        if not all(self.answers(port, 2) for port in self.suite.waits_for(self.ports)):
            self.stop()
            self.start()


def ask(suite, name):
    """What is wrong with each case: nothing, words, or NOT_ASKED."""
    deadline = time.monotonic() + BUDGET_S
    with Served(suite, name) as served, concurrent.futures.ThreadPoolExecutor(suite.at_once) as pool:

        def one(number_and_case):
            number, case = number_and_case
            if case.house and name != OURS:
                return NOT_ASKED
            if time.monotonic() > deadline:
                return LATE
            found = suite.ask(case, number, served)
            if found and suite.at_once == 1:
                served.recover()
            return found

        return list(pool.map(one, enumerate(suite.cases)))


def right_of(column, numbers):
    """As "right/asked"."""
    asked = [column[i] for i in numbers if column[i] is not NOT_ASKED]
    return "%d/%d" % (sum(not found for found in asked), len(asked))


def show(suite, columns, everything):
    names = list(columns)
    width = max(len(c.name) for c in suite.cases)
    section = max(len(c.rfc) for c in suite.cases)
    group = None
    for i, case in enumerate(suite.cases):
        cells = [columns[n][i] for n in names]
        if not everything and not any(cells):
            continue
        if case.group != group:
            group = case.group
            print("\n%s: %s" % (suite.name, group))
        print("  %-*s  %-*s" % (width, case.name, section, case.rfc) + "".join("  %s: %s" % (n, c) for n, c in zip(names, cells) if c))
    print("\n%-18s" % (suite.name + ", right/asked") + "".join("%12s" % n for n in names))
    for group in [*suite.groups, None]:
        members = [i for i, c in enumerate(suite.cases) if group in (c.group, None)]
        print("%-18s" % (group or "all") + "".join("%12s" % right_of(columns[n], members) for n in names))


def present(suite, wanted):
    for name, (_, needs) in suite.servers.items():
        if name in wanted and os.path.exists(needs):
            yield name
        elif name in wanted:
            print("%s is not here: left out" % name)


def main():
    parser = argparse.ArgumentParser(prog="scripts/conformance")
    parser.add_argument("--all", action="store_true", help="also the cases that everybody answers rightly")
    parser.add_argument("--suite", action="append", choices=[s.name for s in SUITES], help="this one alone (may be given again)")
    parser.add_argument("servers", nargs="*", metavar="SERVER", help=", ".join(EVERYBODY))
    arguments = parser.parse_args()
    for name in arguments.servers:
        if name not in EVERYBODY:
            parser.error("no such server: %s" % name)
    red = False
    for suite in [s for s in SUITES if not arguments.suite or s.name in arguments.suite]:
        columns = {}
        for name in present(suite, arguments.servers or EVERYBODY):
            print("%s: asking %s" % (suite.name, name), file=sys.stderr, flush=True)
            columns[name] = ask(suite, name)
        if columns:
            show(suite, columns, arguments.all)
        red = red or any(columns.get(OURS, []))
    sys.exit(1 if red else 0)


if __name__ == "__main__":
    main()
