"""What apps do beside answering: threads, programs, processes, signals, ends. X-Do names it."""

import atexit
import concurrent.futures
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

LOADED_BY = os.getpid()
local = threading.local()
gate = threading.Barrier(4)
caught = []

atexit.register(lambda: print("atexit in %s" % ("the loader" if os.getpid() == LOADED_BY else "a worker"), flush=True))


def square(n):
    return n * n


def whoami(_):
    time.sleep(0.05)
    return os.getpid()


def meet():
    gate.wait(20)
    return os.getpid()


def keep_apart(mine):
    """What a thread keeps is its own while others work."""
    local.mine = mine
    time.sleep(0.02)
    return local.mine


def program():
    done = subprocess.run([sys.executable, "-c", "import sys; sys.stdout.write(sys.stdin.read().upper()); sys.exit(7)"],
                          input="shouted", capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout, done.stderr


def inherited():
    """Descriptors, blocked and ignored signals of a program that the app runs."""
    code = ("import os, signal\n"
            "fds = sorted(int(n) for n in os.listdir('/proc/self/fd'))\n"
            "print([n for n in fds if n > 2 and os.path.exists('/proc/self/fd/%d' % n)], sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),\n"
            "      [s.name for s in (signal.SIGCHLD, signal.SIGHUP, signal.SIGALRM) if signal.getsignal(s) is not signal.SIG_DFL])")
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30).stdout.strip()


def ended_by_term():
    """Is TERM what it should be, in a program and in a child?"""
    p = subprocess.Popen(["sleep", "60"])
    p.terminate()
    return p.wait(20)


def pipe():
    return subprocess.run("yes | head -n 1", shell=True, capture_output=True, text=True, timeout=30).stdout


def pool(method):
    context = multiprocessing.get_context(method)
    with context.Pool(2) as p:
        return sum(p.map(square, range(10)))


def child(method):
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    p = context.Process(target=queue.put, args=("from a child",))
    p.start()
    said = queue.get(timeout=30)
    p.join(30)
    return said, p.exitcode


def killed_child():
    p = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    p.start()
    p.terminate()
    p.join(20)
    return p.exitcode


def executor():
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as e:
        return sorted(e.map(square, range(4)))


def thread_pool():
    with concurrent.futures.ThreadPoolExecutor(3) as e:
        return list(e.map(square, range(4)))


def forked():
    """A child without exec that ends by os._exit, and one that comes back through the app."""
    pid = os.fork()
    if pid == 0:
        os._exit(9)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def own_signal():
    before = signal.signal(signal.SIGUSR2, lambda *_: caught.append("usr2"))
    os.kill(os.getpid(), signal.SIGUSR2)
    time.sleep(0.01)
    signal.signal(signal.SIGUSR2, before)
    return caught.pop()


def alarm():
    class Late(Exception):
        pass

    def ring(*_):
        raise Late

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        time.sleep(20)
    except Late:
        return "rang"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def child_signal():
    seen = []
    before = signal.signal(signal.SIGCHLD, lambda *_: seen.append(1))
    subprocess.run(["true"], timeout=30)
    time.sleep(0.01)
    signal.signal(signal.SIGCHLD, before)
    return bool(seen)


def not_main():
    """With several threads none of them is the main one, and Python says so."""
    try:
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    except ValueError:
        return threading.current_thread() is threading.main_thread()


def background():
    threading.Thread(target=lambda: (time.sleep(0.2), print("finished in the background", flush=True))).start()
    return "answered first"


def pid():
    return os.getpid()


def application(environ, start_response):
    name, _, argument = environ.get("HTTP_X_DO", "pid").partition(":")
    result = globals()[name](*([argument] if argument else []))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [repr(result).encode()]
