"""Counts the fork hooks that ran in the process that serves, and what atexit does there."""
import atexit
import os
import sys
import time

log = []
os.register_at_fork(
    before=lambda: log.append("before"),
    after_in_parent=lambda: log.append("parent"),
    after_in_child=lambda: log.append("child"),
)
import_pid = os.getpid()


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/atexit":
        atexit.register(lambda: os.write(2, b"atexit ran\n"))
    if path == "/atexit-hangs":
        atexit.register(time.sleep, 1000)
    start_response("200 OK", [])
    facts = {
        # the mold's own pairs come before those of this worker's birth
        "/hooks": lambda: " ".join(log[-2:]) if log[:-2] == ["before", "parent"] * (len(log) // 2 - 1) else repr(log),
        "/preloaded": lambda: str(import_pid != os.getpid()),
        "/env": lambda: os.environ.get("RIG_TEST", "-"),
        "/path": lambda: " ".join(sys.path[:2]),
        "/argv": lambda: " ".join(sys.argv),
        "/name": lambda: __name__,
        "/title": lambda: open("/proc/self/cmdline").read().rstrip("\0"),
        "/descriptors": lambda: " ".join(sorted(os.listdir("/proc/self/fd"), key=int)),
    }
    return [facts.get(path, lambda: "")().encode()]
