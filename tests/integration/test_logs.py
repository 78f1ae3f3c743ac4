"""Logs that are moved away: a new file is begun, and no line is lost."""

import os
import signal
import threading
import time
import unittest

from harness import Case, eventually, request
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

    def test_an_old_log_is_let_go_even_if_nothing_more_is_written(self):
        log = self.folder / "app.txt"
        port, daemon = serve(self, "--logto", str(log))
        old = "%s.old" % log
        log.rename(old)
        daemon.process.send_signal(signal.SIGUSR1)
        fds = "/proc/%d/fd" % daemon.process.pid
        eventually(lambda: not any(os.path.realpath(os.path.join(fds, n)) == old for n in os.listdir(fds)), 5, "no descriptor of the old one")

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


if __name__ == "__main__":
    unittest.main(verbosity=2)
