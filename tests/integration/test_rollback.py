"""Releases that fail are taken back: by themselves in probation, and by command."""

import os
import signal
import unittest

from harness import Case, eventually


class Rollback(Case):
    GOOD = "def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'%s']\n"
    BAD = "def application(environ, start_response):\n    if environ['PATH_INFO'] != '/ok':\n        1 / 0\n" \
          "    start_response('200 OK', [])\n    return [b'%s']\n"

    def setUp(self):
        super().setUp()
        for name, text in (("r1", self.GOOD), ("r2", self.BAD), ("r3", self.GOOD)):
            (self.folder / name).mkdir()
            (self.folder / name / "site_app.py").write_text(text % name)
        self.current = self.folder / "current"
        self.current.symlink_to(self.folder / "r1")

    def switch(self, release):
        """As deploy tools do: a new link, renamed into place."""
        (self.folder / "next").symlink_to(self.folder / release)
        (self.folder / "next").rename(self.current)

    def ask(self, e, n, path="/"):
        return [e.get("one", path).status for _ in range(n)]

    def test_a_release_that_fails_its_probation_is_taken_back_and_not_tried_again(self):
        e = self.emperor()
        ini = e.drop("one", "site_app", app=self.current)
        e.wait_up("one")
        self.assertEqual(set(self.ask(e, 40)), {200})
        self.switch("r2")
        # a generation stays with the release it started with
        self.assertEqual(e.get("one").text, "r1")
        ini.touch()
        eventually(lambda: e.get("one", "/ok").text == "r2")
        # one error decides nothing
        self.assertEqual(set(self.ask(e, 20, "/ok") + self.ask(e, 3)), {200, 500})
        self.assertEqual(set(self.ask(e, 20)), {500})
        eventually(lambda: e.get("one").text == "r1")
        state = eventually(lambda: (lambda s: s if s["state"] == "running" and s["generation"] == 3 else None)(e.state("one")))
        self.assertRegex(state["reason"], r"generation 2 is rolled back to what generation 1 ran: \d+ of its first \d+ requests failed")
        eventually(lambda: [x for x in e.ctl("events", "one")["events"] if x["kind"] == "rolled back"])
        self.assertRegex(e.ctl_text("plan").stdout, r"nothing to do\n.*\n.*until it is reloaded; then chdir: \S+/r1 -> \S+/r2")
        # not even after a crash: what came back is what starts
        os.kill(state["pid"], signal.SIGKILL)
        eventually(lambda: e.state("one")["generation"] == 4)
        e.wait_up("one")
        self.assertEqual(e.get("one").text, "r1")
        # but whoever mends it is heard
        self.switch("r3")
        ini.touch()
        eventually(lambda: e.get("one").text == "r3")
        self.assertEqual(e.wait_state("one", "running")["reason"], "")

    def test_a_rollback_by_command_and_the_way_forward_again(self):
        e = self.emperor()
        e.drop("one", "site_app", "probation = 0\n", app=self.current)
        e.wait_up("one")
        done = e.ctl_text("rollback", "one")
        self.assertEqual(done.returncode, 1)
        self.assertIn("no older version is known", done.stderr)
        self.switch("r3")
        e.ctl("reload", "one")
        # the old one may still hold what reached it before it heard of its end
        eventually(lambda: e.get("one").text == "r3")
        e.ctl("rollback", "one")
        eventually(lambda: e.get("one").text == "r1")
        self.assertIn("rolled back by command to what generation 1 ran", e.state("one")["reason"])
        self.assertIn("already", e.ctl_text("rollback", "one").stderr)
        # the bytes that run can be read, whatever the file says meanwhile
        e.drop("one", "site_app", "harakiri = soon\n", app=self.current)
        eventually(lambda: "harakiri" in e.state("one")["last_error"])
        self.assertIn("probation = 0", e.ctl_text("ini", "one").stdout)
        e.drop("one", "site_app", "probation = 0\nharakiri = 9\n", app=self.current)
        eventually(lambda: e.get("one").text == "r3")
        self.assertNotIn("harakiri", e.ctl("ini", "one")["previous"])

    def test_an_edit_in_place_is_rolled_back_too_and_what_changes_nothing_is_refused(self):
        e = self.emperor()
        ini = e.drop("one", "site_app", "harakiri = 60\nprobation = 0", app=self.current)
        e.wait_up("one")
        e.drop("one", "site_app", "harakiri = 9\nprobation = 0", app=self.current)
        eventually(lambda: "limits changed: harakiri: 60 -> 9" in e.output(), 10, "the edit")
        self.assertEqual(e.state("one")["generation"], 1)
        self.assertIn("harakiri = 60", e.ctl("ini", "one")["previous"])
        # a reload of the same in between changes nothing, and is nothing to come back to
        ini.touch()
        eventually(lambda: e.state("one")["generation"] == 2 and e.state("one")["state"] == "running")
        e.ctl("rollback", "one")
        row = e.state("one")
        self.assertEqual(row["generation"], 3)
        self.assertIn("rolled back by command to what generation 1 ran", row["reason"])
        self.assertIn("harakiri = 60", e.ctl("ini", "one")["ini"])
        self.assertEqual(e.get("one").text, "r1")
        # at once, too
        e.drop("one", "site_app", "harakiri = 8\nprobation = 0", app=self.current)
        eventually(lambda: "limits changed: harakiri: 60 -> 8" in e.output(), 10, "the edit")
        e.ctl("rollback", "one")
        self.assertIn("what generation 3 ran before its ini was edited in place", e.state("one")["reason"])
        self.assertIn("harakiri = 60", e.ctl("ini", "one")["ini"])
        # only ever the same
        e.drop("two", "site_app", app=self.current)
        e.wait_up("two")
        e.ctl("reload", "two")
        done = e.ctl_text("rollback", "two")
        self.assertEqual(done.returncode, 1)
        self.assertIn("no other ini and no other release than what runs has served", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
