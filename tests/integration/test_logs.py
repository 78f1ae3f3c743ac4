"""Logs that are moved away: a new file is begun, and no line is lost."""

import contextlib
import select
import signal
import subprocess
import threading
import time
import unittest

import harness
from harness import Case, eventually, open_files, request
from test_http import serve


class Logs(Case):
    def test_usr1_begins_a_new_file_and_loses_no_line(self):
        log = self.folder / "app.txt"
        port, daemon = serve(self, "--logto", str(log))
        stop = threading.Event()
        sent = []

        def ask():
            while not stop.is_set():
                sent.append(request(port, "/note?%d" % len(sent)).status)

        client = threading.Thread(target=ask)
        client.start()
        for n in range(5):
            time.sleep(0.1)
            log.rename("%s.%d" % (log, n))
            daemon.process.send_signal(signal.SIGUSR1)
            eventually(log.exists, 5, "the new log")
        time.sleep(0.1)
        stop.set()
        client.join()
        self.assertEqual(set(sent), {200})

        def everything():
            return "".join(p.read_text() for p in self.folder.glob("app.txt*"))

        eventually(lambda: everything().count('"GET /note?') == len(sent), 5, "a line for each request")
        self.assertGreater(log.stat().st_size, 0)
        for n in range(len(sent)):
            self.assertEqual(everything().count('"GET /note?%d" 200 ' % n), 1)

    def test_what_an_app_prints_is_whole_lines_whatever_python_was_told(self):
        (self.folder / "prints.py").write_text(
            "import sys\ndef application(environ, start_response):\n    start_response('200 OK', [])\n"
            "    print('one', 'two', 'three', end='')\n    print('', 'four', 'five', file=sys.stdout)\n"
            "    print('six', 'seven', 'eight', file=sys.stderr)\n    return []\n")
        port = harness.free_port()
        daemon = self.vassal("--http", "127.0.0.1:%d" % port, "--chdir", self.folder, "--module", "prints", "--processes", "4",
                             "--threads", "2", "--disable-logging", env={"PYTHONUNBUFFERED": "1"})

        def up():
            with contextlib.suppress(OSError):
                return request(port).status == 200

        def ask():
            for _ in range(100):
                request(port)

        eventually(up, 15, "it answers")

        clients = [threading.Thread(target=ask) for _ in range(8)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        eventually(lambda: daemon.output().count("six seven eight\n") >= 800, 10, "all lines")
        printed = [line for line in daemon.output().splitlines() if not line.startswith("20")]
        self.assertEqual(set(printed), {"one two three four five", "six seven eight"})

    def test_an_old_log_is_let_go_even_if_nothing_more_is_written(self):
        log = self.folder / "app.txt"
        port, daemon = serve(self, "--logto", str(log))
        old = "%s.old" % log
        log.rename(old)
        daemon.process.send_signal(signal.SIGUSR1)
        eventually(lambda: old not in open_files(daemon.process.pid), 5, "no descriptor of the old one")

    def test_the_emperor_has_logs_reopened(self):
        log = self.folder / "app.txt"
        log.touch()
        log.chmod(0o666)
        e = self.emperor()
        e.drop("one", "hello", "logto = %s" % log)
        e.wait_up("one")
        eventually(lambda: '"GET /" 200' in log.read_text(), 5)
        log.rename("%s.old" % log)
        e.ctl("reopen", "one")
        eventually(log.exists, 5, "the new log")
        e.get("one", "/?after")
        eventually(lambda: "/?after" in log.read_text(), 5, "a line in the new log")

    def test_what_a_start_prints_stands_behind_what_was_before_it(self):
        (self.folder / "speaks.py").write_text(
            "import time\nprint('imported at', time.time())\n"
            "def application(environ, start_response):\n    start_response('200 OK', [])\n    return []\n")
        log = self.folder / "app.txt"
        log.touch()
        log.chmod(0o666)
        e = self.emperor()
        e.drop("one", "speaks", "logto = %s" % log, app=self.folder)
        e.wait_up("one")
        # so many that the last writes where the first has written
        for n in range(4):
            e.ctl("reload", "one")
            e.get("one", "/?%d" % n)
            eventually(lambda: '"GET /?%d"' % n in log.read_text(), 5, "the line of the request")
        written = log.read_text()
        self.assertEqual(written.count("imported at"), 5)
        shown = e.ctl_text("logs", "one", "-n", "200").stdout
        self.assertEqual(shown[:len(written)], written)

    def test_following_from_no_line_on_shows_what_is_new(self):
        e = self.emperor()
        e.drop("one")
        e.wait_up("one", "/?old")
        eventually(lambda: "/?old" in e.ctl_text("logs", "one").stdout, 5, "the line of the request")
        none = e.ctl_text("logs", "one", "-n", "0")
        self.assertEqual((none.returncode, none.stdout, none.stderr), (0, "", ""))
        follow = subprocess.Popen([str(harness.BIN / "emperorctl"), "--run-dir", str(e.run_dir), "logs", "one", "-f", "-n", "0"],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        harness.started.add(follow.pid)

        def speaks():
            e.get("one", "/?new")
            return select.select([follow.stdout], [], [], 0)[0]

        try:
            # nothing tells when it has begun: one of these requests comes after that
            eventually(speaks, 10, "a line of what follows")
            self.assertIn("/?new", follow.stdout.readline())
        finally:
            follow.kill()
            follow.communicate()


if __name__ == "__main__":
    unittest.main(verbosity=2)
