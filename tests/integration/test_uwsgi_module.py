"""The uwsgi module and uwsgidecorators, as apps and their agents use them."""

import contextlib
import http.client
import os
import re
import unittest

import harness
from harness import eventually, request
from uwsgi_app import APP, Served

# What agents do when they find the module; in the words of their checks, not in their code.
AGENTS = """
import os
import uwsgi

def sentry():
    from uwsgi import opt
    off = ("false", "off", "no", "0", "none", "")
    threads = "threads" in opt or str(opt.get("enable-threads", "0")).lower() not in off
    hooks = str(opt.get("py-call-uwsgi-fork-hooks", "0")).lower() not in off
    return threads and hooks

def ddtrace():
    assert uwsgi.opt
    assert uwsgi.opt.get("enable-threads") or uwsgi.opt.get("threads")
    assert uwsgi.numproc < 2 or uwsgi.opt.get("master")
    assert uwsgi.opt.get("py-call-uwsgi-fork-hooks")
    assert tuple(uwsgi.version_info[:3]) >= (2, 0, 30)
    import uwsgidecorators
    uwsgidecorators.postfork(lambda: print("agent in %d" % uwsgi.worker_id(), flush=True))
    before = getattr(uwsgi, "atexit", None)
    uwsgi.atexit = lambda: (before and before(), print("agent ends", flush=True))
    return uwsgi.worker_id() == 0 or bool(uwsgi.opt.get("lazy-apps"))

def instana():
    facts = [bool(uwsgi.opt.get(k, False)) for k in ("master", "lazy-apps", "gevent")]
    from uwsgidecorators import postfork
    postfork(lambda: None)
    return facts == [True, bool(uwsgi.opt.get("lazy-apps")), False]

FOUND = [f() for f in (sentry, ddtrace, instana)]

def application(environ, start_response):
    start_response("200 OK", [])
    return [repr(FOUND).encode()]
"""


class Module(Served):
    def test_facts_and_their_types(self):
        port, process = self.serve(APP, "--processes", "2", "--env", "A=1", "--env", "B=2")
        pid = process.process.pid
        for expression, wanted in (
            ("uwsgi.opt['processes'], uwsgi.opt['env']", (b"2", [b"A=1", b"B=2"])),
            ("[uwsgi.opt[k] for k in ('master', 'enable-threads', 'py-call-uwsgi-fork-hooks', 'single-interpreter', 'need-app')]", [b"true"] * 5),
            ("uwsgi.opt.get('cache2'), 'gevent' in uwsgi.opt", (None, False)),
            ("all(type(k) is str and type(v) is (list if k == 'env' else bytes) for k, v in uwsgi.opt.items())", True),
            ("uwsgi.version.startswith(b'2.0.30-emperor'), uwsgi.version_info", (True, (2, 0, 30, 0, b"emperor"))),
            ("type(uwsgi.hostname), uwsgi.numproc, uwsgi.cores, uwsgi.has_threads, uwsgi.buffer_size", (bytes, 2, 1, 1, 65536)),
            ("0 <= time.time() - uwsgi.started_on < 600, uwsgi.is_a_reload, uwsgi.sockets", (True, False, [])),
            ("list(uwsgi.applications), uwsgi.applications[''] is application", ([""], True)),
            ("uwsgi.masterpid(), AT_IMPORT[0]", (pid, 0)),
            ("uwsgi.worker_id() in (1, 2), forked == [(uwsgi.worker_id(), os.getpid())]", (True, True)),
            ("os.getpid() == {w['id']: w['pid'] for w in uwsgi.workers()}[uwsgi.worker_id()]", True),
            ("[w['id'] for w in uwsgi.workers()], type(uwsgi.workers())", ([1, 2], tuple)),
            ("{w['id']: w['status'] for w in uwsgi.workers()}[uwsgi.worker_id()]", b"busy"),
            ("uwsgi.total_requests() > 5, uwsgi.request_id() <= uwsgi.total_requests()", (True, True)),
            ("uwsgi.mem()[0] > 1 << 20, uwsgi.mem()[1] > uwsgi.mem()[0]", (True, True)),
            ("uwsgi.listen_queue(), uwsgi.logsize(), uwsgi.ready(), uwsgi.accepting()", (0, 0, True, None)),
            ("abs(uwsgi.micros() / 1e6 - time.time()) < 1, uwsgi.cl()", (True, 0)),
            ("uwsgi.SPOOL_OK, uwsgi.SPOOL_RETRY, uwsgi.SPOOL_IGNORE, uwsgi.i_am_the_spooler(), uwsgi.mule_id()", (-2, -1, 0, False, 0)),
            ("os.environ['UWSGI_ORIGINAL_PROC_NAME'], os.environ['UWSGI_RELOADS']", ("uwsgi", "0")),
            ("[[(type(a), a['id'], a['mountpoint'], a['startup_time'], a['requests'] == w['requests'], a['exceptions'], a['chdir'])"
             " for a in w['apps']] for w in uwsgi.workers()]", [[(dict, 0, b"", 0, True, 0, b"")]] * 2),
            ("type(uwsgi.workers()[0]['apps']), uwsgi.set_warning_message('none')", (tuple, True)),
            ("in_thread()", [True]),
            ("uwsgi.set_logvar('user', 'me'), uwsgi.get_logvar('user'), uwsgi.get_logvar('none')", (None, b"me", None)),
            ("uwsgi.set_logvar(b'user', b'you'), uwsgi.get_logvar('user')", (None, b"you")),
            ("uwsgi.get_logvar('user')", None),
            ("__import__('importlib.util').util.find_spec('uwsgi').name", "uwsgi"),
        ):
            with self.subTest(expression=expression):
                text = request(port, "/", headers={"X-See": expression}).text
                self.assertEqual(text, repr(wanted), process.output()[-1500:])
        self.assertEqual(request(port, "/", method="POST", body=b"12345", headers={"X-See": "uwsgi.cl()"}).text, "5")

    MAGIC = "{k.decode(): v.decode() for k, v in uwsgi.magic_table.items()}"

    def check_magic(self, table, ini):
        wanted = {"p": str(ini), "d": "%s/" % ini.parent, "s": ini.name, "n": ini.stem, "e": "ini", "c": ini.parent.name,
                  "h": os.uname().nodename, "%": "%"}
        self.assertEqual({k: table.get(k) for k in wanted}, wanted)
        self.assertGreater(int(table["k"]), 0)

    def test_the_magic_table_is_that_of_the_ini_wherever_the_app_lives(self):
        (self.folder / "app.py").write_text(APP)
        (self.folder / "inis").mkdir()
        ini, port = self.folder / "inis" / "site.ini", harness.free_port()
        ini.write_text("[uwsgi]\nhttp = 127.0.0.1:%d\nchdir = %s\nmodule = app\n" % (port, self.folder))
        # what another server's app was told must not be taken for ours
        self.vassal(os.path.relpath(ini), env={"EMPEROR_INI": "/liar.ini"})

        def up():
            with contextlib.suppress(OSError):
                return request(port).status == 200

        eventually(up, 15, "vassal answers")
        self.check_magic(self.see(port, self.MAGIC), ini)

    def test_names_in_an_ini_may_be_any_bytes(self):
        (self.folder / "app.py").write_text(APP)
        port = harness.free_port()
        ini = self.folder / "a.ini"
        ini.write_bytes(b"[uwsgi]\nhttp-socket = 127.0.0.1:%d\nchdir = %s\nmodule = app\nmount = /caf\xe9=app\nk\xe9y = v\xe9\n"
                        % (port, bytes(self.folder)))
        process = self.vassal(str(ini))
        eventually(lambda: "serving" in process.output() or not process.alive(), 15, "it serves")
        self.assertTrue(process.alive(), process.output())
        self.assertEqual(self.see(port, "uwsgi.opt['k\\udce9y'], sorted(uwsgi.applications)"), (b"v\xe9", ["", "/caf\udce9"]))

    def test_without_an_ini_the_magic_table_is_of_the_machine(self):
        port, process = self.serve(APP)
        table = self.see(port, self.MAGIC)
        self.assertEqual(table["h"], os.uname().nodename)
        self.assertNotIn("p", table)

    def test_the_magic_table_under_an_emperor(self):
        (self.folder / "app.py").write_text(APP)
        emperor = self.emperor()
        ini = emperor.drop("a", "app", app=self.folder)
        emperor.wait_up("a")
        self.check_magic(eval(emperor.get("a", headers={"X-See": self.MAGIC}).text), ini)

    def test_what_is_not_here_has_no_name(self):
        port, process = self.serve(APP)
        for name in ("cache_get", "spool", "mule_msg", "register_signal", "add_timer", "websocket_handshake", "connection_fd", "rpc",
                     "sharedarea_read", "green_schedule", "wait_fd_read", "suspend", "queue_push", "metric_get", "signal_wait", "offload"):
            self.assertEqual(request(port, "/", headers={"X-See": "hasattr(uwsgi, %r)" % name}).text, "False", name)
        for name in ("spool", "timer", "cron", "filemon", "mule", "signal", "rpc"):
            self.assertEqual(request(port, "/", headers={"X-See": "hasattr(__import__('uwsgidecorators'), %r)" % name}).text, "False", name)

    def start_alone(self, code):
        (self.folder / "app.py").write_text(code)
        return self.vassal("--http", "127.0.0.1:%d" % harness.free_port(), "--chdir", self.folder, "--module", "app",
                           name="vassal%d" % len(self.daemons))

    def test_an_app_that_needs_what_is_not_here_is_told_what_is(self):
        for code, says in (("from uwsgidecorators import timer", "uwsgidecorators.timer is not offered: timed jobs stand in the ini here"),
                           ("import uwsgi\nuwsgi.cache_set('a', 'b')", "uwsgi.cache_set is not offered: caches of uWSGI do not exist here"),
                           ("import uwsgi\nhasattr(uwsgi, 'spool')\nraise AttributeError(\"module 'x' has no attribute 'spool'\")",
                            "module 'x' has no attribute 'spool'")):
            with self.subTest(code=code):
                process = self.start_alone(code + "\n")
                eventually(lambda p=process, s=says: re.search("module = app: .*" + re.escape(s), p.output()), 15, "the reason")
                self.assertEqual("not offered" in process.output(), "not offered" in says)

    def test_a_request_that_needs_what_is_not_here_is_told_too(self):
        port, process = self.serve(APP)
        self.assertEqual(request(port, "/", headers={"X-See": "uwsgi.spool({})"}).status, 500)
        eventually(lambda: "uwsgi.spool is not offered: work beside requests" in process.output(), 5, "the sentence")

    def test_an_asynchronous_app_is_told_of_once_at_load(self):
        for code in ("async def application(scope, receive, send):\n    pass\n",
                     "class App:\n    async def __call__(self, scope, receive, send):\n        pass\n\n\napplication = App()\n",
                     "class App:\n    async def call(self, scope, receive, send):\n        pass\n\n\napplication = App().call\n"):
            with self.subTest(code=code):
                process = self.start_alone(code)
                eventually(lambda p=process: "app: the app is asynchronous (ASGI)" in p.output(), 15, "the warning")
                self.assertEqual(process.output().count("(ASGI)"), 1)
        self.assertNotIn("(ASGI)", self.serve(APP)[1].output())

    def test_hooks_run_in_workers_alone_and_atexit_at_their_end(self):
        port, process = self.serve(APP, "--processes", "3")
        eventually(lambda: process.output().count("forked ") == 3 and "only in" in process.output(), 5, "post_fork_hook in three")
        # not by lines: PYTHONUNBUFFERED writes a newline by itself
        self.assertEqual(sorted(re.findall(r"forked (\d)", process.output())), ["1", "2", "3"])
        self.assertEqual(re.findall(r"only in (\d)", process.output()), ["2"])
        before = process.output().count("served a request")
        request(port)
        eventually(lambda: process.output().count("served a request") > before, 5, "after_req_hook")
        process.stop()
        self.assertEqual(sorted(re.findall(r"atexit of (\d)", process.output())), ["1", "2", "3"])

    def test_with_lazy_apps_the_hook_comes_after_the_import(self):
        port, process = self.serve(APP, "--processes", "2", "--lazy-apps")
        eventually(lambda: process.output().count("forked ") == 2, 5, "post_fork_hook in two")
        self.assertEqual(request(port, "/", headers={"X-See": "AT_IMPORT[0] == uwsgi.worker_id() and len(forked)"}).text, "1")

    def test_a_hook_that_raises_is_told_of_and_harms_nobody(self):
        port, process = self.serve("import uwsgi\ndef bad():\n    raise ValueError('in a hook')\n"
                                   "uwsgi.post_fork_hook = uwsgi.after_req_hook = uwsgi.atexit = bad\n"
                                   "def application(e, s):\n    s('200 OK', [])\n    return [b'well']\n")
        self.assertEqual(request(port).text, "well")
        process.stop()
        for name in ("post_fork_hook", "after_req_hook", "atexit"):
            self.assertIn("exception in uwsgi.%s" % name, process.output())

    def test_one_of_many_hooks_that_raises_keeps_none_of_the_others_from_running(self):
        port, process = self.serve("from uwsgidecorators import postfork\nran = []\n@postfork\ndef bad():\n    raise ValueError('the first')\n"
                                   "@postfork\ndef worse():\n    raise SystemExit(5)\n@postfork(0)\ndef good():\n    ran.append('good')\n"
                                   "def application(e, s):\n    s('200 OK', [])\n    return [repr(ran).encode()]\n")
        self.assertEqual(request(port).text, "['good']")
        self.assertIn("ValueError: the first", process.output())
        self.assertIn("SystemExit: 5", process.output())

    def test_atexit_comes_while_threads_and_python_s_atexit_are_still_to_end(self):
        port, process = self.serve("import atexit, concurrent.futures, uwsgi\npool = concurrent.futures.ThreadPoolExecutor(1)\n"
                                   "atexit.register(print, \"python's atexit\", flush=True)\n"
                                   "uwsgi.atexit = lambda: pool.submit(print, 'flushed in a thread', flush=True).result(5)\n"
                                   "def application(e, s):\n    s('200 OK', [])\n    return [b'well']\n")
        process.stop()
        self.assertRegex(process.output(), r"(?s)flushed in a thread.*python's atexit")

    def test_a_signal_handler_that_exits_does_not_end_the_mold(self):
        port, process = self.serve("import atexit, os, signal, sys\nMOLD = os.getpid()\n"
                                   "def leave(*unused):\n    print('handler of %d' % os.getpid(), flush=True)\n    sys.exit(3)\n"
                                   "signal.signal(signal.SIGTERM, leave)\natexit.register(lambda: print('atexit of %d.' % os.getpid(), flush=True))\n"
                                   "def application(e, s):\n    s('200 OK', [])\n    return [b'%d %d' % (MOLD, os.getpid())]\n")
        mold, worker = map(int, request(port).text.split())
        os.kill(mold, 15)
        eventually(lambda: "handler of %d" % mold in process.output(), 5, "the handler")
        eventually(lambda: "signal handler of the app, in the mold" in process.output(), 5, "it is told")
        os.kill(worker, 9)
        eventually(lambda: request(port).text.split()[1] != str(worker), 10, "another worker")
        self.assertEqual(request(port).text.split()[0], str(mold))
        self.assertNotIn("atexit of %d." % mold, process.output())

    def test_user_harakiri_ends_a_request_that_takes_too_long_and_no_other(self):
        port, process = self.serve(APP)
        pid = self.see(port, "os.getpid()")
        self.assertEqual(self.see(port, "slow(0), os.getpid()"), (None, pid))
        self.assertEqual(self.see(port, "uwsgi.set_user_harakiri(1)"), None)
        self.assertEqual(self.see(port, "time.sleep(1.2), os.getpid()"), (None, pid))
        self.assertEqual(request(port, "/", headers={"X-See": "slow(20)"}, timeout=15).status, 502)
        eventually(lambda: "in slow" in process.output(), 5, "the log shows where it stood")
        self.assertNotEqual(self.see(port, "os.getpid()"), pid)

    def test_user_harakiri_outside_of_requests_is_of_its_thread(self):
        port, process = self.serve(APP + "slow(0.01)  # at import, where nobody is to be killed\n"
                                   "def set_and_end():\n    t = threading.Thread(target=uwsgi.set_user_harakiri, args=(1,))\n    t.start()\n    t.join()\n")
        pid = self.see(port, "os.getpid()")
        self.assertEqual(self.see(port, "set_and_end(), time.sleep(1.2), os.getpid()"), (None, None, pid))
        self.see(port, "threading.Thread(target=slow, args=(20,), daemon=True).start()")
        eventually(lambda: "in slow" in process.output(), 5, "the log shows where it stood")
        eventually(lambda: self.see(port, "os.getpid()") != pid, 5, "another worker")

    def test_log_and_log_this_request(self):
        port, process = self.serve(APP, "--disable-logging")
        self.see(port, "uwsgi.log('a line of the app')")
        eventually(lambda: "a line of the app\n" in process.output(), 5)
        self.assertNotIn('"GET /" 200', process.output())
        self.see(port, "uwsgi.log_this_request()")
        eventually(lambda: process.output().count('"GET /" 200') == 1, 5, "its line")

    def test_logvars_stand_behind_the_line_of_their_request_and_of_no_other(self):
        port, process = self.serve(APP)
        self.see(port, "uwsgi.set_logvar('user', b'me'), uwsgi.set_logvar(b'order', '17'), uwsgi.get_logvar(b'user'), uwsgi.get_logvar('order')")
        eventually(lambda: ' logvars="user=me order=17"\n' in process.output(), 5, "the log names them")
        for line in ("uwsgi.set_logvar('a', 5)", "uwsgi.set_logvar('fails', 'yes') or 1 / 0"):
            self.assertEqual(request(port, "/", headers={"X-See": line}).status, 500)
        eventually(lambda: ' logvars="fails=yes"\n' in process.output(), 5, "of one that failed too")
        self.see(port, "uwsgi.set_logvar('long', 'x' * 100000)")
        eventually(lambda: ' logvars="long=%s"\n' % ("x" * 251) in process.output(), 5, "cut")
        self.see(port, "1")
        eventually(lambda: process.output().count('"GET /" 200') >= 4, 5, "all lines")
        self.assertEqual(process.output().count("logvars="), 3)

    def test_logvars_stand_on_the_line_of_an_answer_that_is_a_file(self):
        port, process = self.serve(
            "import io, uwsgi\ndef application(environ, start_response):\n"
            "    uwsgi.set_logvar('how', environ['PATH_INFO'][1:])\n"
            "    named = environ['PATH_INFO'] == '/named'\n"
            "    start_response('200 OK', [('Content-Type', 'text/plain')] + ([('X-Sendfile', __file__)] if named else []))\n"
            "    return [] if named else environ['wsgi.file_wrapper'](open(__file__, 'rb'))\n",
            "--sendfile-root", str(self.folder))
        for how in ("named", "wrapped"):
            answer = request(port, "/" + how)
            self.assertEqual((answer.status, answer.text[:9]), (200, "import io"))
            eventually(lambda how=how: re.search(r'"GET /%s" 200 .* logvars="how=%s"\n' % (how, how), process.output()), 5, how)

    def test_after_disconnect_the_client_has_all_and_the_app_goes_on(self):
        port, process = self.serve("import os, time, uwsgi\nPATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'counter')\n"
                                   "def wait(path):\n    while not os.path.exists(PATH + '.go'):\n        time.sleep(0.01)\n    print('went on: ' + path, flush=True)\n"
                                   "def application(e, s):\n    path = e['PATH_INFO']\n    if path == '/none':\n        uwsgi.disconnect()\n"
                                   "    write = s('200 OK', [('Content-Length', '20')] if path == '/short' else [])\n    if path == '/':\n        return [b'up']\n"
                                   "    write(b'first,')\n    return rest(path, write)\n"
                                   "def rest(path, write):\n    yield b'second'\n    uwsgi.set_logvar('was', path)\n    assert uwsgi.disconnect() is True\n"
                                   "    wait(path)\n    uwsgi.disconnect()\n    write(b'lost')\n"
                                   "    if path == '/fails':\n        1 / 0\n    yield b'lost'\n")
        for path in ("/fine", "/fails"):
            answer = request(port, path, timeout=5)
            self.assertEqual((answer.status, answer.text), (200, "first,second"))
            self.assertNotIn("went on: " + path, process.output())
            (self.folder / "counter.go").touch()
            self.assertEqual(request(port).text, "up")
            eventually(lambda p=path: "went on: " + p in process.output(), 5, "the app goes on")
            os.unlink(self.folder / "counter.go")
            line = re.findall(r'"GET %s" 200 12 .*logvars="was=%s"' % (path, path), process.output())
            self.assertEqual(len(line), 1, process.output())
            self.assertEqual(process.output().count('"GET %s"' % path), 1)
        eventually(lambda: "ZeroDivisionError" in process.output(), 5, "its end is told")
        self.assertEqual(request(port, "/none").status, 500)
        (self.folder / "counter.go").touch()
        with contextlib.suppress(OSError, http.client.HTTPException):  # cut, if the front had begun with it
            self.assertEqual(request(port, "/short", timeout=5).status, 500)
        self.assertEqual(request(port).text, "up")

    def test_a_warning_of_the_app_is_one_line_of_the_log(self):
        port, process = self.serve(APP)
        self.see(port, "uwsgi.set_warning_message('disk nearly full\\n2026 forged')")
        eventually(lambda: "the app warns: disk nearly full" in process.output(), 5, "it is told")
        self.assertNotIn("\n2026 forged", process.output())

    def test_stop_answers_and_then_ends_the_app(self):
        port, process = self.serve(APP, "--processes", "2")
        answer = request(port, "/", headers={"X-See": "uwsgi.stop(), time.sleep(0.3)"})
        self.assertEqual((answer.status, answer.text), (200, "(True, None)"))
        eventually(lambda: not process.alive(), 10, "it has ended")
        self.assertEqual(process.process.wait(), 0)
        self.assertEqual(sorted(re.findall(r"atexit of (\d)", process.output())), ["1", "2"])

    def test_outside_a_request_there_is_none(self):
        port, process = self.serve("import uwsgi, threading\nseen = []\ndef look():\n    for f in (uwsgi.cl, uwsgi.log_this_request):\n"
                                   "        try:\n            f()\n        except RuntimeError as e:\n            seen.append(str(e))\nlook()\n"
                                   "def application(e, s):\n    t = threading.Thread(target=look)\n    t.start()\n    t.join()\n"
                                   "    s('200 OK', [])\n    return [repr(set(seen)).encode(), str(len(seen)).encode()]\n")
        self.assertTrue(request(port).text.startswith("{'this thread serves no request'}"))

    def test_checks_of_agents_pass(self):
        for more in ((), ("--lazy-apps",), ("--threads", "4")):
            with self.subTest(more=more):
                port, process = self.serve(AGENTS, "--processes", "2", *more, module="agents")
                self.assertEqual(request(port).text, "[True, True, True]")
                eventually(lambda p=process: p.output().count("agent in ") == 2, 5, "the agent's hook")
                process.stop()
                self.assertEqual(process.output().count("agent ends"), 2)

    def test_reload_is_a_new_generation_and_setprocname_a_title(self):
        (self.folder / "app.py").write_text(APP)
        (self.folder / "counter").write_text("0")
        if os.getuid() == 0:
            os.chmod(self.folder / "counter", 0o666)
        emperor = self.emperor()
        emperor.drop("a", "app", "processes = 2", app=self.folder)
        emperor.wait_up("a")

        def see(expression):
            answer = emperor.get("a", headers={"X-See": expression})
            self.assertEqual(answer.status, 200, emperor.output()[-2000:])
            return answer.text

        self.assertEqual(see("count(), uwsgi.is_a_reload, uwsgi.setprocname('renamed')"), "(1, False, None)")
        eventually(lambda: "renamed" in [harness.title(p) for p in emperor.strays()], 5, "the title")
        self.assertEqual(see("uwsgi.reload()"), "True")
        eventually(lambda: see("uwsgi.is_a_reload") == "True", 15, "a new generation")


if __name__ == "__main__":
    unittest.main(verbosity=2)
