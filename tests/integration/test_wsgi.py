"""What PEP 3333 promises an app, through the real front and engine."""

import contextlib
import os
import re
import socket
import subprocess
import unittest

import harness
from harness import Case, eventually, raw, request, until
from test_http import serve


class Shapes(Case):
    def setUp(self):
        super().setUp()
        self.port, self.process = serve(self)

    def get(self, path, **kw):
        return request(self.port, path, **kw)

    def said(self, text):
        return eventually(lambda: text in self.process.output(), 5, "log says %r" % text)

    def test_write_and_streams_and_exc_info(self):
        self.assertEqual(self.get("/write").text, "written twice and returned")
        self.assertEqual(self.get("/stream").text, "".join("piece %d\n" % n for n in range(5)))
        answer = self.get("/exc_info")
        self.assertEqual((answer.status, answer.text, answer.headers["X-New"], answer.headers["X-Old"]),
                         (500, "replaced", "1", None))

    def test_close_is_called_once_also_when_the_client_has_gone(self):
        self.get("/stream")
        self.said("closed stream")
        self.assertEqual(self.process.output().count("closed stream"), 1)

    def test_an_app_that_raises_is_a_500_with_its_traceback_once_and_the_request_id(self):
        answer = self.get("/raises", headers={"X-Request-ID": "find-me-1"})
        self.assertEqual(answer.status, 500)
        self.assertNotIn("raised on purpose", answer.text)
        self.said("RuntimeError: raised on purpose")
        output = self.process.output()
        self.assertEqual(output.count("RuntimeError: raised on purpose"), 1)
        self.assertIn("find-me-1", output)
        self.assertEqual(self.get("/plain").status, 200)

    def test_a_failure_after_the_head_is_visible_to_the_client(self):
        go = self.folder / "go"
        with socket.create_connection(("127.0.0.1", self.port), timeout=10 * harness.PATIENCE) as s:
            s.sendall(b"GET /raises_late?%s HTTP/1.1\r\nHost: a\r\n\r\n" % str(go).encode())
            data = until(s, b"first piece")
            go.touch()
            with contextlib.suppress(ConnectionResetError):
                while piece := s.recv(4096):
                    data += piece
        self.assertFalse(data.endswith(b"0\r\n\r\n"))
        self.said("raised late on purpose")

    def test_mistakes_of_the_app_are_500_and_named_in_the_log(self):
        for path, words in (("/twice", "start_response"), ("/never", "start_response"), ("/text_items", "bytes"),
                            ("/bad_header", "X-Bad"), ("/hop", "Connection")):
            with self.subTest(path=path):
                answer = self.get(path)
                self.assertEqual(answer.status, 500)
                self.assertNotIn("Injected", str(answer.headers))
                self.said(words)

    def test_content_length_is_enforced(self):
        data = raw(self.port, b"GET /long HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        self.assertTrue(data.endswith(b"\r\n\r\nlong"), data)
        self.assertEqual(self.get("/short").status, 500)  # nothing was sent yet: a whole answer of ours
        data = raw(self.port, b"GET /short_late HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertTrue(data.endswith(b"short"), data)  # and then the connection ends, 95 bytes early
        self.said("Content-Length")

    def test_input_reads(self):
        answer = self.get("/lines", method="POST", body=b"one\ntwo\nthree\nfour")
        self.assertEqual(answer.body, b"one\n,two,|,,|,\n,three\n,four")

    def test_nobody_waits_for_a_body_that_nobody_gets(self):
        """An endless one too: its head is the whole answer to HEAD, and the only process is free again."""
        for n in range(3):
            answer = request(self.port, "/endless?1000000000", method="HEAD")
            self.assertEqual((answer.status, answer.body), (200, b""))
            self.assertEqual(request(self.port, "/plain").body, b"plain")

    def test_204_has_neither_length_nor_body(self):
        data = raw(self.port, b"GET /no_content HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        self.assertTrue(data.startswith(b"HTTP/1.1 204 "))
        self.assertTrue(data.endswith(b"\r\n\r\n"))
        self.assertNotIn(b"ontent-Length", data)
        self.assertNotIn(b"chunked", data)

    def test_file_wrapper(self):
        self.assertEqual(self.get("/file").body, (harness.APPS / "shapes.py").read_bytes())
        self.assertEqual(self.get("/file_bytes").body, b"x" * 100000)

    def test_what_the_app_prints_is_in_the_log(self):
        self.get("/errors")
        self.said("said to wsgi.errors")
        self.said("said to stdout")

    def test_sys_exit_in_a_request_is_a_500_and_the_worker_is_replaced(self):
        before = self.get("/pid").text
        self.assertEqual(self.get("/exits").status, 500)
        after = eventually(lambda: self.get("/pid", timeout=20).text, 10)
        self.assertNotEqual(before, after)

    def test_one_real_dict_with_everything_pep_3333_wants(self):
        text = self.get("/dump?x=1").text
        for key in ("REQUEST_METHOD='GET'", "SCRIPT_NAME=''", "PATH_INFO='/dump'", "QUERY_STRING='x=1'",
                    "SERVER_PROTOCOL='HTTP/1.1'", "SERVER_NAME=", "SERVER_PORT=", "wsgi.url_scheme='http'"):
            self.assertIn(key, text)


class Validated(Case):
    def test_wsgiref_validate_finds_nothing(self):
        port, process = serve(self, "--callable", "validated")
        for path, kw in (("/", {}), ("/x", dict(method="POST", body=b"body")), ("/write", {}), ("/stream", {}),
                         ("/exc", {}), ("/lines", dict(method="POST", body=b"a" * 100 + b"line\nmore\n")),
                         ("/", dict(method="HEAD"))):
            with self.subTest(path=path):
                answer = request(port, path, **kw)
                self.assertEqual(answer.status, 500 if path == "/exc" else 200, process.output()[-2000:])
        self.assertNotIn("AssertionError", process.output())


class Loading(Case):
    def app(self, name, code):
        path = self.folder / (name + ".py")
        path.write_text(code)
        return path

    def run_app(self, *args, env=None):
        port = harness.free_port()
        daemon = self.vassal("--http", "127.0.0.1:%d" % port, "--chdir", str(self.folder), *args, env=env)

        def up():
            try:
                return request(port, "/").status == 200 or None
            except OSError:
                return not daemon.alive() or None

        eventually(up, 15, "answers or ends")
        return port, daemon

    ANSWER = "def %s(e, s):\n    s('200 OK', [])\n    return [%s]\n"

    def test_module_with_object_factory_and_wsgi_file(self):
        self.app("m1", self.ANSWER % ("thing", "b'object'"))
        self.app("m2", "def make():\n    def a(e, s):\n        s('200 OK', [])\n        return [b'factory']\n    return a\n")
        self.app("m3", self.ANSWER % ("app", "__name__.encode()"))
        for args, text in ((("--module", "m1:thing"), "object"), (("--module", "m2:make()"), "factory"),
                           (("--wsgi-file", "m3.py"), "uwsgi_file_m3"), (("--module", "m1", "--callable", "thing"), "object")):
            with self.subTest(args=args):
                port, daemon = self.run_app(*args)
                self.assertEqual(request(port, "/").text, text, daemon.output())
                daemon.stop()

    def test_the_garbage_collector_is_as_python_or_the_app_sets_it(self):
        code = ("import gc, sys\n%s\ndef application(e, s):\n    s('200 OK', [])\n"
                "    return [('%%s|%%s' %% (gc.get_threshold(), sys.executable)).encode()]\n")
        for name, line, wanted in (("plain", "", None), ("own", "gc.set_threshold(123, 4, 5)", "(123, 4, 5)")):
            (self.folder / ("collector_%s.py" % name)).write_text(code % line)
            port = harness.free_port()
            process = self.vassal("--http", "127.0.0.1:%d" % port, "--chdir", self.folder, "--module",
                                  "collector_" + name, name=name)
            eventually(lambda: "serving" in process.output(), what="it serves")
            seen, python = request(port).text.split("|")
            # each Python has its own
            plain = subprocess.run([python, "-c", "import gc; print(gc.get_threshold())"], check=True, capture_output=True, text=True)
            self.assertEqual(seen, wanted or plain.stdout.strip())

    def test_failures_name_the_reason(self):
        self.app("broken", "import nothing_like_this\n")
        self.app("empty", "x = 1\n")
        for args, words in ((("--module", "broken"), "No module named 'nothing_like_this'"), (("--module", "empty"), "application"),
                            (("--module", "absent"), "absent"), (("--wsgi-file", "absent.py"), "absent.py"),
                            (("--module", "empty:caf\udce9 x"), "is not the name of an object")):
            with self.subTest(args=args):
                port, daemon = self.run_app(*args)
                self.assertFalse(daemon.alive())
                self.assertNotEqual(daemon.process.returncode, 0)
                self.assertIn(words, daemon.output())

    def test_a_real_virtualenv_is_used_and_one_for_another_python_is_a_clear_error(self):
        venv = self.folder / "venv"
        subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", str(venv)], check=True)
        site = next(venv.glob("lib/python3*/site-packages"))
        (site / "only_here.py").write_text("NAME = 'from the venv'\n")
        self.app("m", "import only_here, sys\ndef application(e, s):\n    s('200 OK', [])\n"
                      "    return [(only_here.NAME + '|' + sys.executable + '|' + sys.prefix).encode()]\n")
        port, daemon = self.run_app("--module", "m", "--virtualenv", str(venv))
        self.assertEqual(request(port, "/").text, "from the venv|%s/bin/python|%s" % (venv, venv), daemon.output())
        daemon.stop()
        cfg = venv / "pyvenv.cfg"
        cfg.write_text(re.sub(r"version = \S+", "version = 3.7.1", cfg.read_text()))
        port, daemon = self.run_app("--module", "m", "--virtualenv", str(venv))
        self.assertFalse(daemon.alive())
        self.assertIn("3.7", daemon.output())

    def test_pythonpath_env_and_chdir(self):
        lib = self.folder / "lib"
        lib.mkdir()
        (lib / "helper.py").write_text("X = 'helper'\n")
        self.app("m", "import os, helper\ndef application(e, s):\n    s('200 OK', [])\n"
                      "    return [('%s %s %s' % (helper.X, os.environ['GREETING'], os.getcwd())).encode()]\n")
        port, daemon = self.run_app("--module", "m", "--pythonpath", str(lib), "--env", "GREETING=hi")
        self.assertEqual(request(port, "/").text, "helper hi %s" % self.folder, daemon.output())

    def test_paths_may_be_any_bytes(self):
        """PEP 383: what Python makes of a name that is not UTF-8 leads back to the same file."""
        there = self.folder / os.fsdecode(b"caf\xe9")
        there.mkdir()
        (there / "m.py").write_text(self.ANSWER % ("application", "repr((__file__, application.__code__.co_filename)).encode()"))
        (there / os.fsdecode(b"\xe9t\xe9.py")).write_text((there / "m.py").read_text())
        empty = self.folder / "empty"
        empty.mkdir()
        file = str(there / os.fsdecode(b"\xe9t\xe9.py"))
        for args, wanted in ((("--chdir", str(there), "--module", "m"), str(there / "m.py")),
                             (("--pythonpath", str(there), "--module", "m"), str(there / "m.py")),
                             (("--wsgi-file", file), file), (("--mount", "/=" + file), file)):
            with self.subTest(args=args):
                port, daemon = self.run_app(*args)
                self.assertTrue(daemon.alive(), daemon.output())
                self.assertEqual(eval(request(port, "/").text), (wanted, wanted))
                daemon.stop()

    def test_fork_hooks_run_once_per_worker_and_the_mold_imports_once(self):
        self.app("m", "import os\nprint('imported', flush=True)\n"
                      "os.register_at_fork(after_in_child=lambda: print('forked', flush=True))\n" + self.ANSWER % ("application", "b'x'"))
        port, daemon = self.run_app("--module", "m", "--processes", "3")
        eventually(lambda: daemon.output().count("forked") >= 3, 5)
        self.assertEqual((daemon.output().count("imported"), daemon.output().count("forked")), (1, 3))
        daemon.stop()
        port, daemon = self.run_app("--module", "m", "--processes", "3", "--lazy-apps")
        eventually(lambda: daemon.output().count("imported") >= 3, 5)
        self.assertEqual(daemon.output().count("imported"), 3)

    def test_threads_run_side_by_side(self):
        self.app("m", "import threading, time\nb = threading.Barrier(4)\ndef application(e, s):\n    if e['PATH_INFO'] == '/meet':\n"
                      "        b.wait(10)\n    s('200 OK', [])\n    return [b'met']\n")
        import concurrent.futures

        port, daemon = self.run_app("--module", "m", "--threads", "4")
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            got = list(pool.map(lambda _: request(port, "/meet", timeout=15).text, range(4)))
        self.assertEqual(got, ["met"] * 4)

    def test_a_handler_of_a_signal_can_be_put_back(self):
        self.app("m", "import os, signal\ndef application(e, s):\n    s('200 OK', [])\n    before = []\n"
                      "    for n in (signal.SIGTERM, signal.SIGINT):\n        before.append(signal.signal(n, lambda *a: None))\n"
                      "        os.kill(os.getpid(), n)\n        signal.signal(n, before[-1])\n"
                      "    return [repr((before == [signal.SIG_DFL, signal.default_int_handler], signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN)).encode()]\n")
        for more in (), ("--lazy-apps",):
            with self.subTest(more=more):
                port, daemon = self.run_app("--module", "m", *more)
                self.assertEqual(request(port, "/").text, "(True, True)", daemon.output())
                daemon.stop()

    def test_a_thread_that_a_request_has_started_may_finish(self):
        """A thread is a daemon if who started it is one: what serves requests is none, whatever threads says."""
        self.app("m", "import threading, time\ndef work():\n    time.sleep(0.5)\n    print('finished work', flush=True)\n"
                      "def application(e, s):\n    threading.Thread(target=work).start()\n    s('200 OK', [])\n"
                      "    return [repr(threading.current_thread().daemon).encode()]\n")
        for threads in "1", "2":
            with self.subTest(threads=threads):
                port, daemon = self.run_app("--module", "m", "--threads", threads)
                begun = daemon.output().count("finished work")
                self.assertEqual(request(port, "/").text, "False")
                daemon.stop()
                self.assertEqual(daemon.output().count("finished work") - begun, 2)  # run_app() has asked once

    def test_a_thread_that_never_ends_is_left_behind_and_named(self):
        self.app("m", "import threading\ndef application(e, s):\n    threading.Thread(target=threading.Event().wait).start()\n"
                      "    s('200 OK', [])\n    return [b'']\n")
        port, daemon = self.run_app("--module", "m", "--threads", "2")
        daemon.stop()
        self.assertIn("threads that are no daemons, or atexit functions, took too long; leaving without them", daemon.output())

    def test_the_app_runs_on_the_main_thread(self):
        self.app("m", "import threading\ndef application(e, s):\n    s('200 OK', [])\n"
                      "    return [str(threading.current_thread() is threading.main_thread()).encode()]\n")
        port, daemon = self.run_app("--module", "m")
        self.assertEqual(request(port, "/").text, "True")

    def test_warmup_is_answered_before_traffic_and_its_failure_fails_the_start(self):
        self.app("m", "seen = []\ndef application(e, s):\n    seen.append(e['PATH_INFO'])\n    s('200 OK', [])\n"
                      "    return [','.join(seen).encode()]\n")
        port, daemon = self.run_app("--module", "m", "--warmup", "/a", "--warmup", "/b")
        self.assertTrue(request(port, "/c").text.startswith("/a,/b,"))
        daemon.stop()
        self.app("w", "def application(e, s):\n    1 / 0\n")
        port, daemon = self.run_app("--module", "w", "--warmup", "/a")
        self.assertFalse(daemon.alive())
        self.assertIn("ZeroDivisionError", daemon.output())


if __name__ == "__main__":
    unittest.main(verbosity=2)
