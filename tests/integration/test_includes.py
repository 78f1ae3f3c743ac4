"""Files that an ini reads beside itself, and what becomes of the app when they change."""

import re
import unittest

from harness import Case, eventually


class Included(Case):
    """What an ini reads beside itself: the emperor follows it at its ordinary look."""

    def start(self, text, extra, name="common.inc"):
        self.inc = self.folder / name
        self.inc.write_text(text)
        e = self.emperor("--rescan", "1")
        e.drop("one", extra=extra % self.inc)
        e.wait_up("one")
        return e

    def replace(self, text):
        new = self.inc.with_suffix(".new")
        new.write_text(text)
        new.rename(self.inc)

    def test_an_edit_of_an_included_file_is_an_edit_of_the_ini(self):
        e = self.start("[vassal]\nharakiri = 50\n", "ini = %s")
        was = e.state("one")
        self.replace("[vassal]\nharakiri = 60\n")
        # who asks before the next look is told what it will do
        rows = {r["name"]: (r["action"], r["text"]) for r in e.ctl("plan")["apps"]}
        self.assertIn(rows["one"], [("limits", "harakiri: 50 -> 60"), ("nothing", "")])
        eventually(lambda: "limits changed: harakiri: 50 -> 60" in e.output())
        self.assertIn("%s, which its ini reads, has changed: harakiri: 50 -> 60, in place" % self.inc, e.output())
        self.assertEqual(e.state("one")["pid"], was["pid"])
        # the same values are no reload, however they are written
        self.replace("[vassal]\n; a comment\nharakiri = 60\n")
        eventually(lambda: "was written anew and says the same" in e.output())
        self.assertEqual((e.state("one")["pid"], e.state("one")["generation"]), (was["pid"], 1))
        self.replace("[vassal]\nharakiri = 60\nthreads = 2\n")
        eventually(lambda: e.state("one")["generation"] == 2 and e.state("one")["state"] == "running")
        # a mistake is told with its place, the old one serves, and mending it ends the matter without a reload
        self.inc.write_text("[vassal]\nharakiri = soon\nthreads = 2\n")
        eventually(lambda: "common.inc:2: harakiri" in e.state("one")["last_error"])
        self.assertEqual(e.get("one").status, 200)
        generation = e.state("one")["generation"]
        self.inc.write_text("[vassal]\nharakiri = 60\nthreads = 2\n")
        eventually(lambda: e.state("one")["last_error"] == "")
        self.assertEqual((e.state("one")["generation"], e.state("one")["reason"]), (generation, ""))

    def test_what_a_value_a_loop_and_a_condition_read_is_followed_too(self):
        e = self.start("1\n", "env = A=@(%s)")
        for n, extra in enumerate(("for-readline = %s\nenv = L%%(_)=1\nendfor =", "if-exists = %s\nenv = THERE=1\nendif =",
                                   "for-glob = " + str(self.folder / "g") + "/*.inc\nenv = G=%%(_)\nendfor =\n; %s")):
            (self.folder / "g").mkdir(exist_ok=True)
            generation = e.state("one")["generation"]
            e.drop("one", extra=extra % self.inc)
            eventually(lambda: e.state("one")["generation"] == generation + 1 and e.state("one")["state"] == "running")
            if n == 0:
                self.replace("1\n2\n")
            elif n == 1:
                self.inc.unlink()
            else:
                (self.folder / "g" / "x.inc").write_text("")
            eventually(lambda: e.state("one")["generation"] == generation + 2 and e.state("one")["state"] == "running",
                       what="case %d is followed" % n)

    def test_a_file_that_was_missing_ends_the_back_off_when_it_comes(self):
        inc = self.folder / "late.inc"
        e = self.emperor("--rescan", "1")
        e.drop("one", extra="ini = %s" % inc)
        rows = {r["name"]: r["action"] for r in e.ctl("plan", check=False)["apps"]}
        self.assertEqual(rows["one"], "refused")
        eventually(lambda: re.search(r"next try in ([3-9]|\d\d)\.", e.output()), 20, "a wait longer than the look takes")
        inc.write_text("[vassal]\nprocesses = 1\n")
        e.wait_up("one")
        self.assertIn("late.inc, which its ini reads, has changed", e.output())


if __name__ == "__main__":
    unittest.main(verbosity=2)
