"""Processes and threads, and what apps start, catch and end by themselves."""

import concurrent.futures
import contextlib
import unittest

import harness
from harness import Case, eventually, request

AT_IMPORT = """
import os, threading, time
beats = []

def beat():
    while True:
        beats.append(os.getpid())
        time.sleep(0.01)

threading.Thread(target=beat, daemon=True).start()

def application(environ, start_response):
    before = len(beats)
    time.sleep(0.1)
    start_response("200 OK", [])
    return [str(len(beats) > before and beats[-1] == os.getpid()).encode()]
"""


class Parallel(Case):
    def serve(self, *args, module="parallel", chdir=None):
        port = harness.free_port()
        process = self.vassal("--http", "127.0.0.1:%d" % port, "--chdir", chdir or harness.APPS, "--module", module, *args,
                              name="vassal%d" % len(self.daemons))

        def up():
            with contextlib.suppress(OSError):
                return request(port).status == 200
            self.assertTrue(process.alive(), process.output())

        eventually(up, 15, "vassal answers")
        return port, process

    def do(self, port, what):
        answer = request(port, headers={"X-Do": what}, timeout=60)
        return eval(answer.text) if answer.status == 200 else answer.status

    def all_at_once(self, port, whats):
        with concurrent.futures.ThreadPoolExecutor(len(whats)) as pool:
            return list(pool.map(lambda w: self.do(port, w), whats))

    def test_threads_of_one_process_work_at_once_and_keep_what_is_theirs(self):
        port, process = self.serve("--threads", "4")
        self.assertEqual(len(set(self.all_at_once(port, ["meet"] * 4))), 1)
        wanted = ["thread%d" % n for n in range(40)]
        self.assertEqual(self.all_at_once(port, ["keep_apart:" + w for w in wanted]), wanted)
        self.assertIs(self.do(port, "not_main"), False)

    def test_processes_times_threads(self):
        port, process = self.serve("--processes", "3", "--threads", "4")
        pids = self.all_at_once(port, ["whoami:1"] * 36)
        self.assertEqual(len(set(pids)), 3, process.output()[-2000:])

    def test_programs_and_processes_of_the_app(self):
        for more in ((), ("--threads", "3"), ("--lazy-apps",)):
            port, process = self.serve(*more)
            for what, wanted in (
                ("program", (7, "SHOUTED", "")), ("ended_by_term", -15), ("pipe", "y\n"), ("pool:fork", 285), ("pool:spawn", 285),
                ("child:fork", ("from a child", 0)), ("child:spawn", ("from a child", 0)), ("child:forkserver", ("from a child", 0)),
                ("killed_child", -15), ("executor", [0, 1, 4, 9]), ("thread_pool", [0, 1, 4, 9]), ("forked", 9),
            ):
                with self.subTest(more=more, what=what):
                    self.assertEqual(self.do(port, what), wanted, process.output()[-3000:])
            self.assertNotIn("worker 1 (", process.output())
            process.stop()

    def test_a_program_inherits_nothing_of_the_server(self):
        for more in ((), ("--threads", "3")):
            with self.subTest(more=more):
                port, process = self.serve(*more)
                self.assertEqual(self.do(port, "inherited"), "[] [] []")

    def test_signals_of_the_app_are_the_apps(self):
        port, process = self.serve()
        for what, wanted in (("own_signal", "usr2"), ("alarm", "rang"), ("child_signal", True)):
            with self.subTest(what=what):
                self.assertEqual(self.do(port, what), wanted, process.output()[-3000:])

    def test_atexit_runs_in_each_worker_that_leaves_and_in_no_other_process(self):
        port, process = self.serve("--processes", "2")
        self.do(port, "executor")
        self.do(port, "child:fork")
        self.do(port, "forked")
        self.assertNotIn("atexit in", process.output())
        process.stop()
        self.assertEqual(process.output().count("atexit in a worker"), 2)
        self.assertNotIn("atexit in the loader", process.output())

    def test_atexit_runs_when_a_worker_is_recycled(self):
        port, process = self.serve("--max-requests", "5", "--max-requests-delta", "0", "--lazy-apps")
        first = self.do(port, "pid")
        eventually(lambda: self.do(port, "pid") != first, 20, "another worker")
        eventually(lambda: "atexit in the loader" in process.output(), 10, "its atexit")

    def test_a_thread_that_a_request_started_finishes_before_its_worker_leaves(self):
        port, process = self.serve()
        self.assertEqual(self.do(port, "background"), "answered first")
        process.stop()
        self.assertIn("finished in the background", process.output())

    def test_threads_at_import_are_told_of_and_run_with_lazy_apps(self):
        (self.folder / "beats.py").write_text(AT_IMPORT)
        port, process = self.serve(module="beats", chdir=self.folder)
        self.assertIn("after import the app holds 1 threads", process.output())
        self.assertIn("consider lazy-apps", process.output())
        self.assertEqual(request(port).text, "False")
        port, process = self.serve("--lazy-apps", module="beats", chdir=self.folder)
        self.assertEqual(request(port).text, "True")
        self.assertNotIn("consider lazy-apps", process.output())


if __name__ == "__main__":
    unittest.main(verbosity=2)
