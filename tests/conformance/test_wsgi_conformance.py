"""The WSGI suite: each case as it is, and once more through wsgiref.validate where that has nothing against the app."""

import pathlib
import shutil
import socket
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

import harness  # noqa: E402
import wire  # noqa: E402
import wsgi_suite  # noqa: E402
from test_pythons import pythons  # noqa: E402
from wsgi_case import numbered  # noqa: E402

MODULES = ("groups", "http_case", "wsgi_app", "wsgi_bodies", "wsgi_case", "wsgi_environ", "wsgi_heads", "wsgi_input", "wsgi_suite")


class WsgiConformance(harness.Case):
    def setUp(self):
        super().setUp()
        for name in MODULES:
            shutil.copy(HERE / (name + ".py"), self.folder)

    def serve(self, python):
        self.port = harness.free_port()
        self.process = self.vassal("--http", "127.0.0.1:%d" % self.port, "--chdir", self.folder, "--module", "wsgi_app", "--processes", "2",
                                   "--python", python, name="vassal" + python)
        harness.eventually(self.up, 15, "vassal answers")

    def up(self):
        try:
            return harness.request(self.port, "/").status == 200
        except OSError:
            self.assertTrue(self.process.alive(), self.process.output())
            return False

    def leave(self, case):
        with socket.create_connection(("127.0.0.1", self.port), 10 * harness.PATIENCE) as s:
            s.sendall(case.pieces[0])
            self.assertTrue(s.recv(1000).startswith(b"HTTP/1.1 200 "))
        return ""

    def look(self, case, number, validate):
        """What is wrong with it, or nothing."""
        begin = len(self.process.output())
        asked = numbered(case, number, validate)
        if case.leaves:
            wrong = self.leave(asked)
        else:
            wrong = wire.verdict(self.port, asked, None, True, 10 * harness.PATIENCE)
        if wrong:
            return wrong + "\n" + self.process.output()[begin:]
        for words in case.log + case.says:
            try:
                harness.eventually(lambda w=words: w in self.process.output()[begin:], 5)
            except AssertionError:
                return "the log does not say %r, but\n%s" % (words, self.process.output()[begin:])
        said = self.process.output()[begin:]
        for words in case.unsaid + (() if case.log else ("Traceback", "warning", "garbage collected")):
            if words in said:
                return "the log says %r:\n%s" % (words, said)
        return ""

    def run_all(self, validate):
        wrong = []
        for number, case in enumerate(wsgi_suite.CASES):
            if validate and not case.valid:
                continue
            found = self.look(case, number, validate)
            if found:
                wrong.append("%s: %s: %s (%s)" % (case.group, case.name, found, case.rfc))
        self.assertEqual(wrong, [], "\n" + "\n".join(wrong))

    def in_each_python(self, validate):
        self.assertTrue(pythons())
        for python in pythons():
            with self.subTest(python=python):
                self.serve(python)
                self.run_all(validate)
                if validate:
                    self.assertNotIn("AssertionError", self.process.output())

    def test_each_case(self):
        self.assertGreaterEqual(len(wsgi_suite.CASES), 120)
        self.in_each_python(False)

    def test_through_the_validator(self):
        self.assertGreaterEqual(len([c for c in wsgi_suite.CASES if c.valid]), 100)
        self.in_each_python(True)


if __name__ == "__main__":
    unittest.main(verbosity=2)
