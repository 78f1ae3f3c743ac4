"""What an emperor finds saved, and the folders that it is told to look at: gone from them is gone, unreadable is not."""

import contextlib

import harness
from harness import eventually
from succession import Succession


class Folders(Succession):
    def follow(self, e, *args):
        f = self.successor(e, *args)
        self.assertNotIn("Sanitizer", f.output())
        return f

    def fails(self, e, app):
        with contextlib.suppress(OSError):
            return e.get(app).status != 200
        return True

    def test_an_app_of_a_folder_that_is_no_longer_configured_is_not_started(self):
        e = self.emperor()
        e.drop("a")
        e.wait_up("a")
        e.stop()
        e.vassals = self.folder / "nonexistent"
        f = self.follow(e)
        eventually(lambda: f.state("a") is None, 5, "it is forgotten")
        self.assertTrue(self.fails(f, "a"))
        self.assertNotIn("serves", f.output())
        self.assertIn("its folder is none of this emperor's", f.output())

    def test_one_that_runs_from_such_a_folder_ends(self):
        e = self.emperor()
        e.drop("a")
        e.wait_up("a")
        self.kill(e)
        e.vassals = self.folder / "nonexistent"
        f = self.follow(e)
        eventually(lambda: f.state("a") is None, 10, "it ends")
        self.assertNotIn("serves", f.output())

    def test_a_folder_below_a_configured_one_is_another(self):
        e = self.emperor()
        below = e.vassals / "below"
        below.mkdir()
        e.stop()
        above, e.vassals = e.vassals, below
        f = self.follow(e)
        f.drop("a")
        f.wait_up("a")
        f.stop()
        e.vassals = above
        g = self.follow(e, "--vassals", str(self.folder / "nonexistent"))
        eventually(lambda: g.state("a") is None, 5, "it is forgotten")
        self.assertNotIn("serves", g.output())

    def test_a_folder_that_cannot_be_read_keeps_only_what_runs(self):
        e = self.emperor()
        e.drop("a")
        e.drop("b")
        e.wait_up("a")
        e.wait_up("b")
        pid = e.state("a")["pid"]
        e.ctl("stop", "b")
        away = self.folder / "away"
        self.kill(e)
        e.vassals.rename(away)
        f = self.follow(e)
        f.wait_up("a")
        self.assertEqual(f.state("a")["pid"], pid)
        self.assertEqual(f.state("b")["state"], "stopped")
        f.stop()
        # nothing of it runs any more, and nothing is started of which nobody knows that it is still there
        g = self.follow(e)
        self.assertEqual(g.state("a")["state"], "stopped")
        self.assertIn("cannot be read", g.state("a")["reason"])
        self.assertTrue(self.fails(g, "a"))
        self.assertNotIn("serves", g.output())
        away.rename(e.vassals)
        g.ctl_text("reload", "--all")
        g.wait_up("a")
        self.assertEqual(g.output().count("serves"), 1)
        self.assertEqual(g.state("b")["state"], "stopped")

    def test_what_waits_for_its_folder_waits_under_the_next_emperor_too(self):
        e = self.emperor()
        e.drop("a")
        e.wait_up("a")
        e.stop()
        away = self.folder / "away"
        e.vassals.rename(away)
        self.follow(e).stop()
        f = self.follow(e)
        self.assertEqual(f.state("a")["state"], "stopped")
        self.kill(f)
        away.rename(e.vassals)
        self.follow(e).wait_up("a")


if __name__ == "__main__":
    harness.main()
