"""Several apps in one vassal: mount, no-default-app, and what each app sees of its path."""

import contextlib
import os
import unittest

import harness
from harness import Case, eventually, request

DUMP = """
import os
NAME = %r

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    seen = [environ[k] for k in ("SCRIPT_NAME", "PATH_INFO", "REQUEST_URI")]
    return [("|".join([NAME] + seen)).encode("latin-1")]

other = lambda e, s: application(dict(e, PATH_INFO="other"), s)

def create_app():
    from wsgiref.validate import validator
    return validator(application)
"""


class Mounts(Case):
    def setUp(self):
        super().setUp()
        for name in ("main", "one", "two"):
            (self.folder / (name + ".py")).write_text(DUMP % name)

    def serve(self, *args):
        port = harness.free_port()
        daemon = self.vassal("--http", "127.0.0.1:%d" % port, "--chdir", self.folder, *args, name="vassal%d" % len(self.daemons))

        def up():
            with contextlib.suppress(OSError):
                return request(port).status > 0
            return not daemon.alive()

        eventually(up, 15, "it answers or ends")
        return port, daemon

    def test_the_longest_prefix_answers_and_the_path_moves(self):
        port, daemon = self.serve("--module", "main", "--mount", "/one=one", "--mount", "/one/deep=two:other",
                                  "--mount", "/made=two:create_app()", "--mount", "/file/=%s" % (self.folder / "two.py"))
        for path, wanted in (
            ("/", "main||/"), ("/one", "one|/one|"), ("/one/", "one|/one|/"), ("/one/x%20y", "one|/one|/x y"), ("/onex", "main||/onex"),
            ("/one/deep/x", "two|/one/deep|other"), ("/one/deeper", "one|/one|/deeper"), ("/made/x", "two|/made|/x"),
            ("/file/caf%C3%A9", "two|/file|/caf\xc3\xa9"), ("/x/one", "main||/x/one"), ("/%6fne/a%2Fb", "one|/one|/a/b"),
        ):
            with self.subTest(path=path):
                answer = request(port, path)
                self.assertEqual((answer.status, answer.text), (200, "%s|%s" % (wanted, path)), daemon.output()[-2000:])
        self.assertEqual(request(port, "/made", method="HEAD").status, 200)
        self.assertNotIn("AssertionError", daemon.output())

    def test_the_first_answers_what_none_claims_unless_the_ini_says_no(self):
        mounts = ("--mount", "/one=one", "--mount", "/two=two")
        port, daemon = self.serve(*mounts)
        self.assertEqual(request(port, "/x").text, "one||/x|/x")
        self.assertIn("no-default-app = true answers 404", daemon.output())
        port, daemon = self.serve(*mounts, "--no-default-app")
        self.assertEqual((request(port, "/x").status, request(port, "/").status), (404, 404))
        self.assertEqual((request(port, "/one/x").text, request(port, "/two").text), ("one|/one|/x|/one/x", "two|/two||/two"))
        self.assertNotIn("no-default-app = true answers 404", daemon.output())
        self.assertNotIn("exception", daemon.output())
        port, daemon = self.serve(*mounts, "--mount", "/=main", "--no-default-app")
        self.assertEqual(request(port, "/x").text, "main||/x|/x")

    def test_each_process_and_lazy_apps_have_all_of_them_once(self):
        (self.folder / "one.py").write_text("print('imported one', flush=True)\n" + DUMP % "one")
        mounts = ("--mount", "/a=one.py", "--mount", "/b=one.py", "--processes", "2")
        for more, times in (((), 1), (("--lazy-apps",), 2)):
            with self.subTest(more=more):
                port, daemon = self.serve(*mounts, *more)
                self.assertEqual([request(port, p).text for p in ("/a/x", "/b/x")], ["one|/a|/x|/a/x", "one|/b|/x|/b/x"])
                eventually(lambda d=daemon, t=times: d.output().count("imported one") == t, 5, "imported %d times" % times)

    def test_files_of_like_names_are_two(self):
        """a-b.py and a_b.py would be modules of one name."""
        (self.folder / "a-b.py").write_text(DUMP % "minus")
        (self.folder / "a_b.py").write_text(DUMP % "line")
        port, daemon = self.serve("--mount", "/minus=a-b.py", "--mount", "/line=a_b.py", "--mount", "/again=a_b.py")
        self.assertEqual([request(port, p).text.split("|")[0] for p in ("/minus", "/line", "/again")], ["minus", "line", "line"])

    def test_one_that_does_not_load_is_named(self):
        for mount, words in (("/a=nothing_like_this", "mount = /a=nothing_like_this"), ("/a=one:absent", "mount = /a=one:absent"),
                             ("/a=%s/absent.py" % self.folder, "absent.py"), ("a.example/x=one", "does not begin with a slash"),
                             ("/a", "is not /path=app")):
            with self.subTest(mount=mount):
                port, daemon = self.serve("--module", "main", "--mount", mount)
                self.assertFalse(daemon.alive())
                self.assertNotEqual(daemon.process.returncode, 0)
                self.assertIn(words, daemon.output())
        port, daemon = self.serve("--mount", "/a=one", "--mount", "/a/=two")
        self.assertIn("two apps at /a/", daemon.output())

    def test_a_warm_up_of_no_app_fails_the_start(self):
        port, daemon = self.serve("--mount", "/a=one", "--no-default-app", "--warmup", "/a/x", "--warmup", "/b")
        self.assertFalse(daemon.alive())
        self.assertIn("warmup = /b: no app is mounted there", daemon.output())

    def test_through_the_gate_and_its_paths(self):
        emperor = self.emperor()
        emperor.write("site", "[uwsgi]\ndomain = site.test, other.test/shop\nchdir = %s\nmodule = main\nmount = /one=one\n"
                              "mount = /shop/two=two.py\nmanage-script-name = true\n" % self.folder)
        if os.getuid() == 0:
            os.chmod(self.folder, 0o755)
        emperor.wait_up("site")
        for host, path, wanted in (
            ("site.test", "/x", "main||/x"), ("site.test", "/one/x", "one|/one|/x"), ("site.test", "/shop/two/x", "two|/shop/two|/x"),
            ("other.test", "/shop/x", "main|/shop|/x"), ("other.test", "/shop/one/x", "one|/shop/one|/x"),
            ("other.test", "/shop/two", "two|/shop/two|"),
        ):
            with self.subTest(host=host, path=path):
                self.assertEqual(request(emperor.port, path, host=host).text, "%s|%s" % (wanted, path))


if __name__ == "__main__":
    unittest.main(verbosity=2)
