"""The suite against ours, at its own address and through the gate: no case may be wrong, and no answer."""

import concurrent.futures
import pathlib
import shutil
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

import harness  # noqa: E402
import http_suite  # noqa: E402
import wire  # noqa: E402
from http_case import KEEP  # noqa: E402

# What cases_limits.py goes to the edges of.
OPTIONS = {
"buffer-size": "16384", "limit-post": "100000", "limit-uri": "4000",
    "limit-headers": "60", "early-hints": "true", "keepalive-requests": "8",
    "header-timeout": "2", "body-timeout": "2", "keepalive": "3", "processes": "2",
}


def check_answer(case, answer, last):
    """What is true of every answer of ours."""
    if answer.status < 200:
        if [name for name, _ in answer.fields if name != b"link"]:
            raise wire.Wrong("%d with fields of the answer" % answer.status)
        return
    if answer.minor != 1:
        raise wire.Wrong("HTTP/1.0")
    date = answer.all(b"date")
    if len(date) != 1 or not wire.DATE.match(date[0]):
        raise wire.Wrong("%d, Date: %s" % (answer.status, date))
    if answer.status == 204 and (answer.all(b"content-length") or answer.all(b"transfer-encoding")):
        raise wire.Wrong("204 with a length")
    closes = answer.says_close()
    if closes and not last:
        raise wire.Wrong("%d says close, and does not" % answer.status)
    if last and not closes and (case.fate == KEEP or case.probe):
        raise wire.Wrong("%d closes without saying so" % answer.status)


class Conformance(harness.Case):
    def run_all(self, port, cases, wanted, rule):
        def one(case):
            found = wire.verdict(port, case, wanted(case), True, 12 * harness.PATIENCE, rule)
            return found and "%s: %s: %s (%s)" % (case.group, case.name, found, case.rfc)

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            wrong = [w for w in pool.map(one, cases) if w]
        self.assertEqual(wrong, [], "\n" + "\n".join(wrong))

    def take_app(self):
        shutil.copy(HERE / "app.py", self.folder)
        (self.folder / "app.py").chmod(0o644)

    def test_at_its_own_address(self):
        self.take_app()
        port = harness.free_port()
        arguments = ["--%s=%s" % item for item in OPTIONS.items()]
        daemon = self.vassal("--http", "127.0.0.1:%d" % port, "--chdir", self.folder, "--module", "app", *arguments)
        harness.eventually(lambda: self.answers(port, daemon), 15, "vassal answers")
        ids = set()

        def rule(case, answer, last):
            check_answer(case, answer, last)
            if answer.status >= 200:
                (found,) = answer.all(b"x-request-id")
                if found != b"of-the-app":
                    ids.add(found.decode())

        self.run_all(port, http_suite.CASES, lambda case: case.want, rule)
        self.assertGreater(len(ids), len(http_suite.CASES) / 2)
        harness.eventually(lambda: not [i for i in ids if "id=" + i not in daemon.output()], 5, "each id has its line in the log")

    def test_through_the_gate(self):
        self.take_app()
        emperor = self.emperor()
        lines = "default = true\n" + "".join("%s = %s\n" % item for item in OPTIONS.items())
        emperor.drop("a", "app", lines, app=self.folder)
        emperor.wait_up("a", "/probe")
        self.run_all(emperor.port, [c for c in http_suite.CASES if not c.own], lambda case: case.gate or case.want, check_answer)

    def answers(self, port, daemon):
        try:
            return harness.request(port, "/probe").status == 200
        except OSError:
            self.assertTrue(daemon.alive(), daemon.output())
            return False


if __name__ == "__main__":
    unittest.main(verbosity=2)
