"""What clients and operators see while an app cannot come: back-off, stopped, ended at once."""

import contextlib
import os
import signal
import socket
import threading
import time
import unittest

import harness
from harness import Case, eventually, raw, request

GOOD = "def application(e, s):\n    s('200 OK', [])\n    return [b'good']\n"
BAD = "import no_such_module_at_all\n"


def status_of(port, path="/"):
    """The status, or what else came of the request: no test here may see anything but an answer."""
    try:
        return request(port, path).status
    except OSError as problem:
        return repr(problem)


def socket_path(case):
    """A place where the app's user may bind."""
    folder = case.folder / "sockets"
    folder.mkdir(exist_ok=True)
    os.chmod(folder, 0o777)
    return folder / "app.sock"


class OwnListeners(Case):
    def app(self, code):
        folder = self.folder / "app"
        folder.mkdir(exist_ok=True)
        os.chmod(folder, 0o755)
        (folder / "own.py").write_text(code)
        return folder

    def failing(self, extra):
        e = self.emperor()
        folder = self.app(BAD)
        e.drop("a", "own", app=folder, extra=extra)
        e.wait_state("a", "backoff")
        return e

    def watch(self, port):
        """Asks in a loop from another thread; returns what was seen and how to stop it."""
        seen, stop = [], threading.Event()

        def run():
            while not stop.is_set():
                seen.append(status_of(port))

        thread = threading.Thread(target=run)
        thread.start()

        def finish():
            stop.set()
            thread.join()
            return seen

        self.addCleanup(finish)
        return seen, finish

    def test_an_own_http_listener_answers_503_in_back_off_and_200_after_mending(self):
        port = harness.free_port()
        e = self.failing("http = 127.0.0.1:%d" % port)
        answer = eventually(lambda: (lambda a: a if a.status == 503 else None)(request(port)), 5, "503 at once")
        self.assertRegex(answer.headers["Retry-After"], r"^[1-9][0-9]*$")
        self.assertEqual(answer.headers["Connection"], "close")
        self.assertEqual(request(port, method="HEAD").status, 503)
        self.assertEqual(request(port, method="POST", body=b"x" * 20000).status, 503)
        self.assertIn(b" 400 ", raw(port, b"GET / HTTP/1.1\r\nHost : x\r\n\r\n").split(b"\r\n")[0])
        seen, finish = self.watch(port)
        eventually(lambda: 503 in seen, 5, "seen in the loop")
        self.app(GOOD)
        e.drop("a", "own", app=self.folder / "app", extra="http = 127.0.0.1:%d\nenv = X=1" % port)
        eventually(lambda: 200 in seen, 15, "200 after mending")
        e.wait_state("a", "running")
        after = len(seen)
        eventually(lambda: len(seen) > after + 50, 10, "more answers")
        finish()
        self.assertEqual(set(seen), {200, 503}, "nothing but answers")
        self.assertEqual(set(seen[seen.index(200):]), {200}, "no 503 once it serves")

    def test_a_retry_that_succeeds_by_itself_serves_too(self):
        port = harness.free_port()
        self.failing("http = 127.0.0.1:%d" % port)
        eventually(lambda: status_of(port) == 503, 5)
        self.app(GOOD)
        eventually(lambda: status_of(port) == 200, 30, "a retry")
        self.assertEqual({status_of(port) for _ in range(50)}, {200})

    def test_through_nginx_uwsgi_pass_a_failing_app_is_503_with_retry_after_at_once(self):
        for n, address in enumerate(("127.0.0.1:%d" % harness.free_port(), str(socket_path(self)))):
            with self.subTest(address=address):
                if n:
                    (e.vassals / "a.ini").unlink()
                    eventually(lambda: e.state("a") is None)
                    self.app(BAD)
                    e.drop("a", "own", app=self.folder / "app", extra="socket = " + address)
                    e.wait_state("a", "backoff")
                    front.stop()
                    (self.folder / "nginx" / "nginx.conf").unlink()
                    (self.folder / "nginx").rename(self.folder / "nginx.was")
                else:
                    e = self.failing("socket = " + address)
                port = harness.free_port()
                front = self.nginx("location / { include /etc/nginx/uwsgi_params; uwsgi_pass %s; }"
                                   % (address if ":" in address else "unix:" + address), port)
                answer = eventually(lambda: (lambda a: a if a.status == 503 else None)(request(port)), 5)
                self.assertTrue(answer.headers["Retry-After"].isdigit())
                self.assertEqual(request(port, method="POST", body=b"x" * 300000).status, 503)
                self.app(GOOD)
                e.drop("a", "own", app=self.folder / "app", extra="socket = %s\nenv = X=1" % address)
                eventually(lambda: status_of(port) == 200, 15)
                self.assertEqual({status_of(port) for _ in range(50)}, {200})

    def test_a_connection_that_is_silent_in_back_off_does_not_hold_the_others(self):
        port = harness.free_port()
        self.failing("http = 127.0.0.1:%d" % port)
        eventually(lambda: status_of(port) == 503, 5)
        with contextlib.ExitStack() as stack:
            for _ in range(50):
                s = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
                s.sendall(b"GET / HT")
            for _ in range(20):
                started = time.monotonic()
                self.assertEqual(status_of(port), 503)
                self.assertLess(time.monotonic() - started, 1 * harness.PATIENCE)

    def test_while_it_starts_for_the_first_time_its_clients_wait_and_are_served(self):
        port = harness.free_port()
        e = self.emperor()
        folder = self.app("import time\ntime.sleep(1)\n" + GOOD)
        e.drop("a", "own", app=folder, extra="http = 127.0.0.1:%d" % port)

        def connects():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return True

        eventually(connects, 5, "the door is open")
        self.assertEqual(e.state("a")["state"], "starting")
        self.assertEqual(status_of(port), 200)

    def test_a_stopped_app_answers_503_at_its_own_listener_until_it_is_started_or_deleted(self):
        port = harness.free_port()
        e = self.emperor()
        path = e.drop("a", extra="http = 127.0.0.1:%d" % port)
        e.wait_up("a")
        e.ctl("stop", "a")
        answer = eventually(lambda: (lambda a: a if a.status == 503 else None)(request(port)), 5)
        self.assertTrue(answer.headers["Retry-After"].isdigit())
        e.ctl("start", "a")
        self.assertEqual({status_of(port) for _ in range(30)}, {200})
        e.ctl("stop", "a")
        path.unlink()

        def refused():
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except ConnectionRefusedError:
                return True

        eventually(refused, 5, "its address is free again")

    def test_a_new_gate_stands_in_as_the_one_before(self):
        port = harness.free_port()
        e = self.failing("http = 127.0.0.1:%d" % port)
        eventually(lambda: status_of(port) == 503, 5)
        gate = next(p for p in harness.descendants(e.process.pid) if "gate" in harness.title(p))
        os.kill(gate, signal.SIGKILL)
        eventually(lambda: any("gate" in harness.title(p) and p != gate for p in harness.descendants(e.process.pid)), 10)
        eventually(lambda: status_of(port) == 503, 5, "the new gate answers")


class Sockets(Case):
    def mode(self, path):
        return os.stat(path).st_mode & 0o777

    def test_a_changed_chmod_on_an_unchanged_address_takes_effect_with_the_next_generation(self):
        path = socket_path(self)
        e = self.emperor()
        e.drop("a", extra="socket = %s\nchmod-socket = 600" % path)
        e.wait_up("a")
        self.assertEqual(self.mode(path), 0o600)
        inode = os.stat(path).st_ino
        e.drop("a", extra="socket = %s\nchmod-socket = 664" % path)
        eventually(lambda: self.mode(path) == 0o664, 10, "the new mode")
        self.assertEqual(os.stat(path).st_ino, inode, "the same socket: nobody who waits in it is lost")
        e.drop("a", "no_such_module_at_all", extra="socket = %s\nchmod-socket = 606" % path)
        eventually(lambda: e.state("a")["last_error"])
        self.assertEqual(self.mode(path), 0o664, "a generation that never serves changes nothing")

    @unittest.skipUnless(os.getuid() == 0, "chown needs root")
    def test_a_changed_uid_or_chown_changes_the_owner_of_an_unchanged_address(self):
        path = socket_path(self)
        e = self.emperor()
        e.drop("a", extra="socket = %s\nuid = nobody\ngid = nogroup" % path)
        e.wait_up("a")
        nobody = os.stat(path).st_uid
        e.drop("a", extra="socket = %s\nuid = www-data\ngid = www-data" % path)
        eventually(lambda: os.stat(path).st_uid not in (0, nobody), 10, "the new user owns it")
        e.drop("a", extra="socket = %s\nuid = www-data\ngid = www-data\nchown-socket = root:nogroup" % path)
        eventually(lambda: os.stat(path).st_uid == 0, 10, "the named owner")


class Stop(Case):
    def test_while_the_emperor_stops_an_own_listener_refuses_and_the_request_in_work_is_answered(self):
        port = harness.free_port()
        e = self.emperor()
        e.drop("a", "slow", extra="http = 127.0.0.1:%d" % port)
        e.wait_up("a")
        got = []
        thread = threading.Thread(target=lambda: got.append(status_of(port, "/?2")))
        thread.start()
        time.sleep(0.5)
        e.process.terminate()

        def refused():
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except ConnectionRefusedError:
                return True

        eventually(refused, 1, "refused at once")
        self.assertTrue(e.alive(), "the request is still in work")
        thread.join()
        self.assertEqual(got, [200])
        e.process.wait(10 * harness.PATIENCE)
        self.assertEqual(e.process.returncode, 0)


class StopNow(Case):
    def test_a_second_signal_ends_everything_within_three_seconds_though_a_request_is_in_work(self):
        self.ends_at_once(0.3)

    def test_two_signals_at_once_do_too(self):
        self.ends_at_once(0)

    def ends_at_once(self, wait_s):
        e = self.emperor()
        e.drop("a", "slow", extra="processes = 2")
        e.drop("b", "slow", extra="lazy-apps = true")
        e.wait_up("a")
        e.wait_up("b")

        def ask():
            with contextlib.suppress(Exception):
                e.get("a", "/?30", timeout=40)

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for t in threads:
            t.start()
        time.sleep(0.5)
        started = time.monotonic()
        e.process.terminate()
        if wait_s:
            time.sleep(wait_s)
            self.assertTrue(e.alive(), "the first one waits for the request")
        e.process.send_signal(signal.SIGINT)
        e.process.wait(3 * harness.PATIENCE)
        self.assertLess(time.monotonic() - started, 3 * harness.PATIENCE)
        self.assertEqual(e.process.returncode, 0)
        eventually(lambda: not e.strays(), 1, "nobody is left behind")
        self.assertFalse((e.run_dir / "control.sock").exists())
        for t in threads:
            t.join()


if __name__ == "__main__":
    unittest.main(verbosity=2)
