"""An app whose requests end badly; the path says how."""

import ctypes
import os
import signal
import threading
import time

kept = []


def wait_here(seconds):
    time.sleep(seconds)


def crash():
    ctypes.string_at(0)


def stream(start_response, seconds):
    start_response("200 OK", [])
    yield b"begun"
    wait_here(seconds)


def application(environ, start_response):
    path, seconds = environ["PATH_INFO"], float(environ["QUERY_STRING"].partition("=")[2] or 0)
    os.write(1, b"about to do %s\n" % path.encode())  # in one piece: others print on the same pipe
    if path == "/segfault":
        crash()
    if path == "/die":
        environ["wsgi.input"].read()
        os.kill(os.getpid(), signal.SIGKILL)
    if path == "/grow":
        kept.append(bytearray(os.urandom(4096)) * (40 * 256))
    if path == "/other-thread":
        threading.Thread(target=wait_here, args=(seconds,), name="other").start()
    if path == "/stream":
        return stream(start_response, seconds)
    wait_here(seconds)
    body = b"%d" % os.getpid()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
