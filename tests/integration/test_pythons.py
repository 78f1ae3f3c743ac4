"""Each Python that was found at build time: chosen by `python`, by a virtualenv, and refused where none fits."""

import contextlib
import json
import re
import subprocess
import unittest

import harness
from harness import Case, eventually, request

APP = """
import json, sys, threading, hashlib, ctypes, asyncio

def application(environ, start_response):
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "application/json")])
    try:
        import only_here
        package = only_here.NAME
    except ImportError:
        package = None
    return [json.dumps({"version": "%d.%d" % sys.version_info[:2], "executable": sys.executable, "prefix": sys.prefix,
                        "package": package, "body": len(body), "main": threading.current_thread() is threading.main_thread()}).encode()]
"""


def pythons():
    found = [re.fullmatch(r"engine-python(\d+\.\d+)", p.name) for p in (harness.BUILD / "libexec" / "emperor").iterdir()]
    return sorted((m.group(1) for m in found if m), key=lambda v: [int(n) for n in v.split(".")])


class Pythons(Case):
    def serve(self, *args):
        (self.folder / "app.py").write_text(APP)
        port = harness.free_port()
        daemon = self.vassal("--http", "127.0.0.1:%d" % port, "--chdir", self.folder, "--module", "app", *args,
                             name="vassal%d" % len(self.daemons))

        def up():
            with contextlib.suppress(OSError):
                return request(port).status > 0
            return not daemon.alive()

        eventually(up, 20, "it answers or ends")
        return port, daemon

    def see(self, *args):
        port, daemon = self.serve(*args)
        self.assertTrue(daemon.alive(), daemon.output())
        answer = request(port, method="POST", body=b"x" * 100000)
        self.assertEqual(answer.status, 200, daemon.output())
        return json.loads(answer.text)

    def test_each_is_chosen_by_its_number(self):
        self.assertTrue(pythons())
        for version in pythons():
            for more in ((), ("--threads", "2"), ("--lazy-apps", "--processes", "2")):
                with self.subTest(version=version, more=more):
                    seen = self.see("--python", version, *more)
                    self.assertEqual((seen["version"], seen["body"], seen["package"]), (version, 100000, None))

    def test_without_a_number_it_is_the_newest(self):
        self.assertEqual(self.see()["version"], pythons()[-1])

    def test_a_virtualenv_chooses_the_one_that_made_it(self):
        for version in pythons():
            with self.subTest(version=version):
                python = self.see("--python", version)["executable"]
                venv = self.folder / ("venv" + version)
                subprocess.run([python, "-m", "venv", "--without-pip", str(venv)], check=True, timeout=120)
                (next(venv.glob("lib/python3*/site-packages")) / "only_here.py").write_text("NAME = 'of %s'\n" % version)
                seen = self.see("--virtualenv", str(venv))
                self.assertEqual((seen["version"], seen["package"], seen["prefix"], seen["executable"]),
                                 (version, "of " + version, str(venv), "%s/bin/python" % venv))
                for other in [v for v in pythons() if v != version][:1]:
                    port, daemon = self.serve("--virtualenv", str(venv), "--python", other)
                    self.assertFalse(daemon.alive())
                    self.assertIn("is for Python %s, but python = %s" % (version, other), daemon.output())

    def test_one_that_is_not_there_is_refused_with_those_that_are(self):
        port, daemon = self.serve("--python", "3.7")
        self.assertFalse(daemon.alive())
        self.assertIn("python = 3.7: this machine has engines for", daemon.output())
        for version in pythons():
            self.assertIn(version, daemon.output())

    def test_one_that_cannot_be_run_is_said_so(self):
        venv = self.folder / "venv"
        subprocess.run([self.see()["executable"], "-m", "venv", "--without-pip", str(venv)], check=True, timeout=120)
        python = venv / "bin" / "python"
        python.unlink()
        python.write_text("no program\n")
        python.chmod(0o644)
        port, daemon = self.serve("--virtualenv", str(venv))
        self.assertFalse(daemon.alive())
        self.assertIn("%s cannot be run by the app's user: Permission denied" % python, daemon.output())


if __name__ == "__main__":
    unittest.main(verbosity=2)
