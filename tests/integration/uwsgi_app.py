"""An app that answers with what an expression of its client's gives, uwsgi module and all; for test_uwsgi_*.py."""

import contextlib

import harness
from harness import Case, eventually, request

APP = """
import os, socket, sys, threading, time
import uwsgi
from uwsgidecorators import harakiri, lock, postfork, thread

AT_IMPORT = (uwsgi.worker_id(), os.getpid())
forked = []

@postfork
def note_fork():
    forked.append((uwsgi.worker_id(), os.getpid()))
    print("forked %d" % uwsgi.worker_id(), flush=True)

@postfork(wid=2)
def second():
    print("only in %d" % uwsgi.worker_id(), flush=True)

def served():
    print("served a request", flush=True)

uwsgi.after_req_hook = served
uwsgi.atexit = lambda: print("atexit of %d" % uwsgi.worker_id(), flush=True)

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "counter")

@lock
def count():
    n = int(open(PATH).read())
    time.sleep(0.01)
    with open(PATH, "w") as f:
        f.write(str(n + 1))
    return n + 1

@harakiri(1)
def slow(seconds):
    time.sleep(seconds)

@thread
def beside(results):
    results.append(threading.current_thread() is not threading.main_thread())

def in_thread():
    results = []
    beside(results).join(10)
    return results

def holds_and_dies():
    uwsgi.lock(3)
    os.kill(os.getpid(), 9)

def waits_for_itself():
    uwsgi.lock(7)
    try:
        uwsgi.lock(7)
    finally:
        uwsgi.unlock(7)

def child_that_waits():
    # answers once, and lives until it is told to go
    ask, answer = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        code = os.read(ask[0], 100).decode()
        os.write(answer[1], repr(eval(code)).encode())
        for _ in range(2000):
            if os.path.exists(PATH + ".go"):
                break
            time.sleep(0.01)
        os._exit(0)
    return pid, lambda code: os.write(ask[1], code.encode()) and eval(os.read(answer[0], 100))

def child_looks():
    pid, look = child_that_waits()
    uwsgi.lock(4)
    try:
        return look("uwsgi.is_locked(4)"), os.kill(pid, 9), os.waitpid(pid, 0)[1]
    finally:
        uwsgi.unlock(4)

def daemon_keeps_its_descriptors():
    pid = os.fork()
    if pid > 0:
        return os.waitpid(pid, 0)[1]
    os.closerange(3, 200)
    pairs = [socket.socketpair() for _ in range(20)]
    before = [os.fstat(s.fileno()).st_ino for pair in pairs for s in pair]
    pid = os.fork()
    if pid == 0:
        after = [os.fstat(s.fileno()).st_ino for pair in pairs for s in pair]
        os._exit(after != before)
    os._exit(os.waitpid(pid, 0)[1] != 0)

def child_survives():
    pid, look = child_that_waits()
    look("1")
    with open(PATH + ".child", "w") as f:
        f.write(str(pid))
    holds_and_dies()

def hold_until_told():
    uwsgi.lock(6)
    while not os.path.exists(PATH + ".go"):
        time.sleep(0.01)
    uwsgi.unlock(6)

def unlock_while_another_waits():
    while not uwsgi.is_locked(6):
        time.sleep(0.01)
    got = []
    waits = threading.Thread(target=lambda: got.append(uwsgi.lock(6)))
    waits.start()
    time.sleep(0.2)
    uwsgi.unlock(6)
    open(PATH + ".go", "w").close()
    waits.join(10)
    uwsgi.unlock(6)
    return got

def locked_here():
    time.sleep(0.3)
    return uwsgi.worker_id(), uwsgi.is_locked(6)

def expression(environ):
    return repr(eval(environ["HTTP_X_SEE"], globals(), {"e": environ})).encode()

def application(environ, start_response):
    body = expression(environ) if "HTTP_X_SEE" in environ else b"up"
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]
"""


class Served(Case):
    def serve(self, code, *args, module="app"):
        (self.folder / (module + ".py")).write_text(code)
        (self.folder / "counter").write_text("0")
        port = harness.free_port()
        process = self.vassal("--http", "127.0.0.1:%d" % port, "--chdir", self.folder, "--module", module, *args,
                              name="vassal%d" % len(self.daemons))

        def up():
            with contextlib.suppress(OSError):
                return request(port).status == 200
            self.assertTrue(process.alive(), process.output())

        eventually(up, 15, "vassal answers")
        return port, process

    def see(self, port, expression, **kw):
        answer = request(port, "/", headers={"X-See": expression}, **kw)
        self.assertEqual(answer.status, 200, expression)
        return eval(answer.text)
