"""Hangs in the way that the path says; /pid tells which process answers. What a request saw is printed at its end."""

import ctypes
import os
import re
import socket
import threading
import time

import emperor


def sleep():
    time.sleep(60)


def recv():
    a, b = socket.socketpair()
    with a, b:
        a.recv(1)


def select():
    a, b = socket.socketpair()
    with a, b:
        a.settimeout(60)
        a.recv(1)


def backtrack():
    re.match(r"(a+)+$", "a" * 64 + "b")


def spin():
    while True:
        pass


def lock():
    mutex = threading.Lock()
    mutex.acquire()
    mutex.acquire()


def libc_pause():
    ctypes.CDLL(None).pause()


def libc_sleep():
    ctypes.CDLL(None).sleep(60)
    for _ in range(60):
        time.sleep(1)


def swallow_exception():
    """What `except Exception` does to it: nothing."""
    while True:
        try:
            time.sleep(0.01)
        except Exception:
            pass


def swallow_all():
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass


def clean_up():
    try:
        time.sleep(60)
    except emperor.RequestTimeout:
        print("cleaned up", flush=True)
        return b"too late"


def mutex(library):
    """A mutex that this thread has already: no signal ends the wait for it."""
    memory = ctypes.create_string_buffer(64)
    library.pthread_mutex_lock(memory)
    library.pthread_mutex_lock(memory)


def c_mutex():
    mutex(ctypes.CDLL(None))


def gil_mutex():
    mutex(ctypes.PyDLL(None))


def gil_sleep():
    ctypes.PyDLL(None).sleep(60)


def pid():
    return b"%d" % os.getpid()


def work():
    """Plain Python: lets go of the GIL all the time."""
    end = time.monotonic() + 1.4
    n = 0
    while time.monotonic() < end:
        n += sum(range(1000))
    return b"worked"


def big():
    """More than any socket takes at once."""
    return b"b" * (8 << 20)


def hold():
    """Long enough for who waits behind it to lose patience."""
    print("holding", flush=True)
    time.sleep(2.2)


def short():
    """Ends by itself at a time that is hard to hit."""
    time.sleep(0.01)
    return b"%d" % os.getpid()


WAYS = {f.__name__: f for f in (sleep, recv, select, backtrack, spin, lock, libc_pause, libc_sleep, swallow_exception, swallow_all,
                                clean_up, c_mutex, gil_mutex, gil_sleep, pid, work, hold, big, short)}


def begun(start_response):
    """An answer of which a part is there."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"begun\n"
    time.sleep(60)


def application(environ, start_response):
    path = environ["PATH_INFO"][1:]
    if path == "begun":
        return begun(start_response)
    body = WAYS[path]() or b"done"
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]
