"""What is on record of requests that were slow, ran out of time, or went down with their worker."""

import os
import signal
import threading
import unittest

import harness
from harness import Case, eventually


class Blame(Case):
    def blames(self, emperor, app="sick", n="100"):
        return emperor.ctl("blame", app, n, check=False)["blames"]

    def find(self, emperor, request, kind, app="sick"):
        def look():
            for b in self.blames(emperor, app):
                if b["request"] == request and b["kind"] == kind:
                    return b

        return eventually(look, 10, "%s %s is on record" % (kind, request))

    def together(self, emperor, paths):
        got = {}

        def ask(path):
            got[path] = emperor.get("sick", path, timeout=30).status

        threads = [threading.Thread(target=ask, args=(p,)) for p in paths]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        return got

    def test_each_bad_end_is_on_record_with_its_reason_and_outlives_front_and_emperor(self):
        emperor = self.emperor()
        emperor.drop("sick", "blamed", "processes = 7\nslow-request = 1\nharakiri = 3")
        emperor.wait_up("sick")
        long_path = "/segfault?" + "x" * 700
        got = self.together(emperor, [long_path])  # what it prints as it dies has the pipe to itself
        got |= self.together(emperor, ["/die", "/sleep?s=60", "/sleep?s=1.7", "/grow?s=60", "/other-thread?s=1.7", "/stream?s=1.7"])
        self.assertEqual(got, {long_path: 502, "/die": 502, "/sleep?s=60": 504, "/sleep?s=1.7": 200, "/grow?s=60": 504, "/other-thread?s=1.7": 200,
                               "/stream?s=1.7": 200})

        b = self.find(emperor, "GET " + long_path, "crashed")
        self.assertEqual((b["status"], b["signal"]), (502, 11))
        self.assertIn("signal 11", b["reason"])
        self.assertRegex(b["stacks"], r"Segmentation fault\n(.*\n)*.* in crash\n(.*\n)*.* in application\n")
        self.assertIn("about to do /segfault", b["log"])
        self.assertNotIn("most recent call first", b["log"])

        b = self.find(emperor, "GET /die", "crashed")
        self.assertEqual((b["status"], b["signal"], b["stacks"]), (502, 9, ""))

        b = self.find(emperor, "GET /sleep?s=1.7", "slow")
        self.assertEqual(b["status"], 0)
        self.assertIn(" in wait_here\n", b["stacks"])
        self.assertGreaterEqual(b["age_us"], 1000000)
        self.assertNotIn("Current thread", b["stacks"])  # there is only one: it is shown once

        b = self.find(emperor, "GET /stream?s=1.7", "slow")
        self.assertEqual(b["status"], 200)

        b = self.find(emperor, "GET /other-thread?s=1.7", "slow")
        self.assertRegex(b["stacks"], r"^Stack(.*\n)*Thread(.*\n)*.* in wait_here\n(.*\n)*.* in run\n(.*\n)*Current thread")

        b = self.find(emperor, "GET /sleep?s=60", "timeout")
        self.assertEqual(b["status"], 504)
        self.assertIn(" in wait_here\n", b["stacks"])
        self.assertIn("harakiri", b["reason"])
        self.assertGreaterEqual(b["age_us"], 3000000)
        self.assertGreater(b["pid"], 0)
        self.assertIn(b["request_id"], emperor.output())
        self.find(emperor, "GET /sleep?s=60", "slow")

        b = self.find(emperor, "GET /grow?s=60", "timeout")
        self.assertGreater(b["rss_growth"], 30 << 20)
        self.assertGreater(b["rss"], b["rss_growth"])
        both = [b["stacks"] for b in self.blames(emperor) if b["kind"] == "timeout"]
        self.assertEqual(len(both), 2)
        for stacks in both:  # killed in the same instant, and yet each has its own, whole
            self.assertEqual(stacks.count(" in wait_here\n"), 1, stacks)

        text = emperor.ctl_text("blame", "sick", "1").stdout
        self.assertRegex(text, r"^20..-.*  \w+  GET /")
        self.assertIn("    stacks\n", text)
        self.assertEqual(emperor.ctl_text("blame", "nobody").returncode, 1)
        self.assertEqual(emperor.ctl_text("blame", "sick", "many").returncode, 2)

        known = len(self.blames(emperor))
        os.kill(emperor.state("sick")["pid"], signal.SIGKILL)
        eventually(lambda: emperor.state("sick")["state"] != "running" or emperor.state("sick")["restarts"], 10, "the death of the front is noticed")
        self.assertEqual(len(self.blames(emperor)), known)
        emperor.wait_up("sick")
        self.assertEqual(emperor.get("sick", "/die").status, 502)
        eventually(lambda: len(self.blames(emperor)) == known + 1, 10, "the next front's record comes behind")
        emperor.ctl("stop", "sick")
        self.assertEqual(len(self.blames(emperor)), known + 1)
        emperor.stop()
        again = self.emperor()
        self.assertEqual(len(self.blames(again)), known + 1)

    def test_a_request_that_was_interrupted_and_then_killed_says_what_its_client_had(self):
        emperor = self.emperor()
        emperor.drop("sick", "stuck", "interrupt-timeout = 1")
        emperor.wait_up("sick", "/short")
        self.assertEqual(emperor.get("sick", "/swallow_all").status, 504)
        b = self.find(emperor, "GET /swallow_all", "timeout")
        self.assertEqual(b["status"], 504)
        self.assertEqual(b["reason"], "interrupted after 1 s (interrupt-timeout), the client had 504 then; killed because it "
                                      "did not end within 2 s of that: the app caught the exception and went on")
        text = emperor.ctl_text("blame", "sick").stdout
        self.assertNotIn("no answer yet", text)
        self.assertNotIn("harakiri", text.split("log before it")[0])

    def test_the_last_lines_have_whole_tracebacks(self):
        (self.folder / "raises.py").write_text(
            "import os, signal, traceback\n"
            "def application(e, s):\n"
            "    try:\n"
            "        1 / 0\n"
            "    except ZeroDivisionError:\n"
            "        traceback.print_exc()\n"
            "    os.kill(os.getpid(), signal.SIGSEGV)\n")
        emperor = self.emperor()
        emperor.drop("sick", "raises", app=self.folder)
        emperor.wait_state("sick", "running")
        self.assertEqual(emperor.get("sick", "/x").status, 502)
        b = self.find(emperor, "GET /x", "crashed")
        self.assertRegex(b["log"], r'Traceback [^\n]*\n  File "[^"]*raises\.py", line 4, in application\n')
        self.assertIn(", line 7 in application", b["stacks"])
        self.assertNotIn(", line 7 in application", b["log"])

    def test_threads_are_shown_together_and_the_request_lives_unless_it_grows_too_fat(self):
        emperor = self.emperor()
        emperor.drop("sick", "blamed", "threads = 3\nslow-request = 1")
        emperor.drop("fat", "blamed", "evil-reload-on-rss = 45")
        emperor.wait_up("sick")
        emperor.wait_up("fat")
        status = []
        fat = threading.Thread(target=lambda: status.append(emperor.get("fat", "/grow?s=60", timeout=30).status))
        fat.start()
        got = self.together(emperor, ["/sleep?s=1.9", "/other-thread?s=1.9"])
        self.assertEqual(set(got.values()), {200})
        b = self.find(emperor, "GET /sleep?s=1.9", "slow")
        self.assertGreaterEqual(b["stacks"].count(" in wait_here\n"), 2)
        self.assertIn("Current thread", b["stacks"])
        self.assertRegex(b["stacks"].split("Thread")[1], "in wait_here\n(.*\n)*.* in application\n")  # its own comes first
        fat.join()
        self.assertEqual(status, [502])
        b = self.find(emperor, "GET /grow?s=60", "killed", app="fat")
        self.assertIn("evil-reload-on-rss", b["reason"])
        self.assertIn(" in wait_here\n", b["stacks"])
        self.assertGreater(b["rss_growth"], 30 << 20)

    def test_a_request_that_outlives_the_mercy_of_a_stop_is_on_record_with_its_stacks(self):
        emperor = self.emperor()
        emperor.drop("sick", "blamed", "processes = 2\nreload-mercy = 1")
        emperor.wait_up("sick")
        got = {}
        asked = [threading.Thread(target=lambda p=p: got.update({p: emperor.get("sick", p, timeout=30).status})) for p in ("/sleep?s=60", "/other-thread?s=60")]
        for t in asked:
            t.start()
        eventually(lambda: all("about to do /" + p in emperor.output() for p in ("sleep", "other-thread")), 10, "both are in work")
        emperor.ctl("stop", "sick")
        for t in asked:
            t.join()
        self.assertEqual(set(got.values()), {503})
        for path in got:
            b = self.find(emperor, "GET " + path, "killed")
            self.assertEqual((b["status"], b["reason"]), (503, "reload-mercy"))
            self.assertIn(" in wait_here\n", b["stacks"])
            self.assertGreaterEqual(b["age_us"], 1000000)
            self.assertLess(b["queue_us"], 1000000)
            self.assertGreater(b["pid"], 0)
        self.assertIn("Thread 0x", self.find(emperor, "GET /other-thread?s=60", "killed")["stacks"])
        self.assertEqual(len(self.blames(emperor)), 2)
        log = emperor.output()
        self.assertRegex(log, r"worker \d: reload-mercy: GET /sleep\?s=60 \[\S+\] did not end within 1 s; its stacks follow")
        self.assertRegex(log, r'"GET /sleep\?s=60[^\n]* 503 [^\n]*app=1\d\d\d\.\dms worker=\d')

    def test_who_holds_the_gil_is_told_by_the_record_of_the_slow_request(self):
        emperor = self.emperor()
        emperor.drop("off", "stuck", "threads = 2\nslow-request = 1\nreload-mercy = 1")
        emperor.drop("on", "stuck", "slow-request = 3\ndeadlock-timeout = 600\nreload-mercy = 1")
        asked = []
        for app, path in (("off", "/gil_mutex"), ("on", "/gil_sleep")):
            emperor.wait_up(app, path="/pid")
            asked.append(threading.Thread(target=emperor.get, args=(app, path), kwargs={"timeout": 30}))
            asked[-1].start()
        b = self.find(emperor, "GET /gil_mutex", "slow", app="off")
        self.assertEqual(b["reason"], "slow-request")
        self.assertIn("C code holds the GIL", b["stacks"])
        self.assertIn("deadlock-timeout is 0", b["stacks"])
        self.assertIn("C code holds the GIL", emperor.ctl_text("blame", "off").stdout)
        b = self.find(emperor, "GET /gil_sleep", "slow", app="on")
        self.assertRegex(b["reason"], r"^slow-request; C code holds the GIL, for \d s now$")
        self.assertIn(" in gil_sleep\n", b["stacks"])
        emperor.stop()
        for t in asked:
            t.join()

    def test_a_request_that_kills_is_fused_with_its_body_and_unfused_by_command(self):
        emperor = self.emperor()
        emperor.drop("sick", "blamed", "processes = 3\npost-buffering = 4096\nbuffer-size = 8192")
        emperor.wait_up("sick")
        large = b"x" * 300000  # travels as a file
        for path, body in (("/segfault", None), ("/die?1", b"small"), ("/die", large)):
            with self.subTest(path=path):
                method = "POST" if body else "GET"
                for _ in range(2):
                    self.assertEqual(emperor.get("sick", path, method=method, body=body).status, 502)
                answer = emperor.get("sick", path, method=method, body=body)
                self.assertEqual(answer.status, 503)
                self.assertIn(int(answer.headers["Retry-After"]), range(20, 31))
        # the same path, another body: not fused, and dies on its own account
        self.assertEqual(emperor.get("sick", "/die", method="POST", body=large[:-1] + b"y").status, 502)
        self.assertEqual(emperor.get("sick", "/die", method="POST", body=large).status, 503)
        self.assertEqual(emperor.get("sick", "/fine").status, 200)
        self.assertIn("fused: GET /segfault killed 2 workers", emperor.output())
        self.assertEqual(emperor.ctl("stats", "sick")["fused"], 4)
        emperor.ctl("unfuse", "sick")
        eventually(lambda: "unfused by command: 3 requests" in emperor.output(), 5, "the front was told")
        self.assertEqual(emperor.get("sick", "/segfault").status, 502)
        eventually(lambda: [e for e in emperor.ctl("events", "sick")["events"] if e["kind"] == "fused"], 5, "an event tells it")
        emperor.ctl("stop", "sick")
        self.assertIn("nothing is fused", emperor.ctl_text("unfuse", "sick").stderr)


if __name__ == "__main__":
    harness.main()
