"""Commands right after an edit: they act on the files as they are by then, and once."""

import harness
from harness import Case, eventually

# slow, so that none runs before a command that follows its file
COUNTS = """import time

time.sleep(0.5)
open(%r, "a").write("x")


def application(environ, start_response):
    start_response("200 OK", [])
    return [b"counted"]
"""


class Edited(Case):
    def setUp(self):
        super().setUp()
        self.imports = self.folder / "imports"
        self.imports.touch()
        self.imports.chmod(0o666)
        (self.folder / "counts.py").write_text(COUNTS % str(self.imports))

    def imported(self):
        return len(self.imports.read_text())

    def put(self, e, name, module, extra=""):
        e.drop(name, module, extra, app=self.folder)

    def test_a_reload_runs_what_was_written_before_it(self):
        e = self.emperor()
        self.put(e, "one", "counts")
        e.wait_up("one")
        self.put(e, "one", "counts", "env = A=1\n")
        e.ctl("reload", "one")
        self.assertIn("A=1", e.ctl("ini", "one")["ini"])
        self.assertEqual((e.state("one")["generation"], self.imported()), (2, 2))
        # the reload has failed, for what there is now does not start
        self.put(e, "one", "nowhere")
        done = e.ctl_text("reload", "one")
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("nowhere", done.stdout + done.stderr)
        self.assertEqual(e.get("one").status, 200)
        self.assertEqual(self.imported(), 2)

    def test_a_start_runs_what_was_written_before_it_and_knows_new_files(self):
        e = self.emperor()
        self.put(e, "new", "counts")
        e.ctl("start", "new")
        self.assertEqual((e.state("new")["state"], self.imported()), ("running", 1))
        e.ctl("stop", "new")
        self.put(e, "new", "counts", "env = A=1\n")
        e.ctl("start", "new")
        self.assertIn("A=1", e.ctl("ini", "new")["ini"])
        self.assertEqual((e.state("new")["generation"], self.imported()), (2, 2))
        e.ctl("stop", "new")
        self.put(e, "new", "nowhere")
        done = e.ctl_text("start", "new")
        self.assertEqual(done.returncode, 1, done)
        self.assertEqual(self.imported(), 2)

    def test_a_start_of_what_starts_already_waits_for_it(self):
        e = self.emperor()
        self.put(e, "one", "counts")
        eventually(lambda: e.state("one") and e.state("one")["pid"])
        e.ctl("start", "one")
        self.assertEqual((e.state("one")["state"], self.imported()), ("running", 1))

    def test_what_is_gone_or_renamed_is_known_by_that(self):
        e = self.emperor()
        self.put(e, "one", "counts")
        self.put(e, "two", "counts", "env = A=1\n")
        e.wait_up("one")
        e.wait_up("two")
        (e.vassals / "one.ini").unlink()
        done = e.ctl_text("reload", "one")
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("stopping", done.stdout + done.stderr)
        (e.vassals / "two.ini").rename(e.vassals / "three.ini")
        e.ctl("start", "three")
        self.assertEqual(e.state("three")["state"], "running")

    def test_a_plan_of_another_folder_knows_what_was_written_before_it(self):
        e = self.emperor()
        staged = self.folder / "staged"
        staged.mkdir()
        self.put(e, "one", "counts")
        rows = e.ctl("plan", str(staged))["apps"]
        self.assertEqual([(r["name"], r["action"]) for r in rows], [("one", "stop")])


if __name__ == "__main__":
    harness.main()
