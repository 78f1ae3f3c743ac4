"""Signals and systemd's notifications."""

import os
import signal
import socket
import unittest

import harness
from harness import Case, eventually


class Notify(Case):
    def test_a_service_manager_is_told_ready_reloading_and_stopping(self):
        path = str(self.folder / "notify.sock")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.bind(path)
            os.chmod(path, 0o777)
            s.settimeout(0.05)
            heard = []

            def hear(word):
                def look():
                    try:
                        heard.append(s.recv(4096).decode())
                    except TimeoutError:
                        pass
                    return any(word in message for message in heard)

                return look

            e = self.emperor(env={"NOTIFY_SOCKET": path})
            eventually(hear("READY=1"), 10, "READY")
            e.drop("a")
            e.wait_up("a")
            eventually(hear("STATUS="), 10, "STATUS")
            heard.clear()
            e.process.send_signal(signal.SIGHUP)
            eventually(hear("RELOADING=1"), 10, "RELOADING")
            eventually(hear("READY=1"), 10, "READY after the reload")
            heard.clear()
            e.process.terminate()
            eventually(hear("STOPPING=1"), 10, "STOPPING")


class Signals(Case):
    def test_hup_reloads_every_app(self):
        e = self.emperor()
        for name in ("a", "b"):
            e.drop(name)
            e.wait_up(name)
            e.wait_state(name, "running")
        before = {name: e.state(name)["generation"] for name in ("a", "b")}
        e.process.send_signal(signal.SIGHUP)
        for name in before:
            eventually(lambda n=name: e.state(n)["generation"] > before[n] and e.state(n)["state"] == "running", 15)
            self.assertEqual(e.get(name).status, 200)

    def test_int_and_quit_stop_gracefully_too(self):
        for sig in (signal.SIGINT, signal.SIGQUIT):
            folder = self.folder / sig.name
            folder.mkdir()
            os.chmod(folder, 0o755)
            e = self.daemon(harness.Emperor(folder))
            e.drop("a")
            e.wait_up("a")
            e.stop(sig)
            self.assertEqual(e.process.returncode, 0)
            self.assertEqual([p.name for p in e.run_dir.iterdir() if p.suffix in (".sock", ".pid")] if e.run_dir.exists() else [], [])

    def test_usr1_reopens_the_logs_of_all_apps(self):
        logs = self.folder / "logs"
        logs.mkdir()
        os.chmod(logs, 0o777)
        e = self.emperor()
        e.drop("a", extra="logto = %s" % (logs / "a.log"))
        e.wait_up("a")
        eventually(lambda: "GET /" in (logs / "a.log").read_text(), 5)
        (logs / "a.log").rename(logs / "a.log.1")
        e.process.send_signal(signal.SIGUSR1)
        eventually(lambda: (e.get("a").status == 200) and (logs / "a.log").exists()
                   and "GET /" in (logs / "a.log").read_text(), 10, "a new log file")


if __name__ == "__main__":
    unittest.main(verbosity=2)
