"""An app that does to its server what no app should: the path says what. Harmless paths: /, /pid, /echo."""

import ctypes
import os
import re
import signal
import sys
import threading
import time


def ok(start_response, body=b"ok"):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def pid(environ, start_response):
    return ok(start_response, b"%d" % os.getpid())


def echo(environ, start_response):
    return ok(start_response, b"%d" % len(environ["wsgi.input"].read()))


def segfault(environ, start_response):
    ctypes.string_at(0)


def os_exit(environ, start_response):
    os._exit(3)


def sys_exit(environ, start_response):
    sys.exit(3)


def abort(environ, start_response):
    os.abort()


def own_signal(environ, start_response):
    """Sends itself the signal of the query string."""
    os.kill(os.getpid(), int(environ["QUERY_STRING"]))
    time.sleep(0.2)
    return ok(start_response)


def close_low(environ, start_response):
    os.closerange(0, 10)
    return ok(start_response)


def close_all(environ, start_response):
    os.closerange(0, 1024)
    return ok(start_response)


def setsid(environ, start_response):
    try:
        os.setsid()
    except PermissionError:
        return ok(start_response, b"leader")
    return ok(start_response)


def chdir(environ, start_response):
    os.chdir("/")
    return ok(start_response)


def fork_child(environ, start_response):
    """Leaves a child that lives for the seconds of the query string."""
    child = os.fork()
    if child == 0:
        time.sleep(float(environ["QUERY_STRING"]))
        os._exit(0)
    return ok(start_response, b"%d" % child)


def fork_return(environ, start_response):
    """Both sides of a fork go on and answer, as a careless daemonizer does."""
    child = os.fork()
    return ok(start_response, b"child" if child == 0 else b"parent")


def fork_exit(environ, start_response):
    """The child leaves by sys.exit, through all handlers."""
    child = os.fork()
    if child == 0:
        sys.exit(0)
    os.waitpid(child, 0)
    return ok(start_response)


def wait_all(environ, start_response):
    """Reaps whatever there is to reap."""
    try:
        while True:
            os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        pass
    return ok(start_response)


def threads(environ, start_response):
    for _ in range(8):
        threading.Thread(target=time.sleep, args=(3600,), daemon=False).start()
    return ok(start_response)


class Closing:
    def __init__(self, pieces):
        self.pieces = iter(pieces)

    def __iter__(self):
        return self.pieces

    def close(self):
        raise RuntimeError("close() raised on purpose")


def raise_in_close(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return Closing([b"one", b"two"])


def endless(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])

    def produce():
        try:
            while True:
                yield b"x" * 65536
        finally:
            print("endless ended", flush=True)

    return produce()


def drip(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])

    def produce():
        while True:
            yield b"drip\n"
            time.sleep(0.05)

    return produce()


def big(environ, start_response):
    """As many megabytes as the query string says."""
    count = int(environ["QUERY_STRING"])
    start_response("200 OK", [("Content-Length", str(count << 20))])
    return (b"b" * (1 << 20) for _ in range(count))


def flood(environ, start_response):
    """Megabytes of one-line output on stdout, as the query string says."""
    line = "f" * 1023 + "\n"
    for _ in range(int(environ["QUERY_STRING"]) << 10):
        sys.stdout.write(line)
    sys.stdout.flush()
    return ok(start_response)


def binary(environ, start_response):
    os.write(1, bytes(range(256)) * 16)
    os.write(2, b"\0" * 5000)
    os.write(1, b"\xff" * 200000)
    return ok(start_response)


def backtrack(environ, start_response):
    re.match(r"(a+)+$", "a" * 64 + "b")
    return ok(start_response)


def spin(environ, start_response):
    while True:
        pass


def sleep(environ, start_response):
    time.sleep(float(environ["QUERY_STRING"]))
    return ok(start_response)


def deadlock(environ, start_response):
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def stubborn(environ, start_response):
    """Swallows whatever is raised into it."""
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass


def deaf(environ, start_response):
    """Ignores every signal that can be ignored, then hangs."""
    for number in range(1, 65):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    while True:
        time.sleep(60)


def stop_self(environ, start_response):
    os.kill(os.getpid(), signal.SIGSTOP)
    return ok(start_response)


def recurse(environ, start_response):
    def down(n):
        return down(n + 1) + 1

    return [down(0)]


def hoard(environ, start_response):
    """Takes address space until there is none; gives up beyond the gigabytes of the query string."""
    kept = []
    while len(kept) < int(environ["QUERY_STRING"]) * 64:
        kept.append(bytearray(16 << 20))
    return ok(start_response, b"no limit")


def memory(environ, start_response):
    raise MemoryError("on purpose")


def interrupt(environ, start_response):
    raise KeyboardInterrupt


def generator_exit(environ, start_response):
    raise GeneratorExit


def header_bomb(environ, start_response):
    start_response("200 OK", [("X-%d" % n, "v" * 1000) for n in range(1000)])
    return [b"never"]


ACTIONS = {"/" + name: f for name, f in list(globals().items()) if callable(f) and name not in ("ok", "Closing")}


def application(environ, start_response):
    action = ACTIONS.get(environ["PATH_INFO"])
    return action(environ, start_response) if action else ok(start_response)
