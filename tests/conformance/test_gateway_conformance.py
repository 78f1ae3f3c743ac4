"""FastCGI, SCGI and uwsgi against ours, at addresses of one protocol each and at one that takes all: no case may be wrong."""

import concurrent.futures
import pathlib
import shutil
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

import gateway_suite  # noqa: E402
import gateway_wire  # noqa: E402
import harness  # noqa: E402
import wire  # noqa: E402

OPTIONS = {
    "buffer-size": "16384", "limit-post": "300000", "header-timeout": "2", "body-timeout": "2", "keepalive": "10", "processes": "2",
}


class GatewayConformance(harness.Case):
    def serve(self, *addresses):
        shutil.copy(HERE / "app.py", self.folder)
        port = harness.free_port()
        options = ["--%s=%s" % item for item in OPTIONS.items()]
        daemon = self.vassal("--http", "127.0.0.1:%d" % port, *addresses, "--chdir", self.folder, "--module", "app", *options)

        def up():
            try:
                return harness.request(port, "/probe").status == 200
            except OSError:
                self.assertTrue(daemon.alive(), daemon.output())

        harness.eventually(up, 15, "vassal answers")
        return daemon

    def run_all(self, ports, cases, wanted):
        def one(case):
            found = wire.verdict(ports[case.protocol], case, wanted(case), True, 10 * harness.PATIENCE, None, gateway_wire.SPEECHES[case.protocol])
            return found and "%s: %s: %s (%s)" % (case.group, case.name, found, case.rfc)

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            wrong = [w for w in pool.map(one, cases) if w]
        self.assertEqual(wrong, [], "\n" + "\n".join(wrong))

    def test_each_at_an_address_of_its_own(self):
        self.assertGreaterEqual(len(gateway_suite.CASES), 80)
        ports = {protocol: harness.free_port() for protocol in gateway_wire.SPEECHES}
        daemon = self.serve(*["--%s-socket=127.0.0.1:%d" % item for item in ports.items()])
        self.run_all(ports, gateway_suite.CASES, lambda case: case.want)
        # who is refused is named in the log, with the reason
        for reason in ("no FastCGI on a FastCGI socket", "no SCGI on an SCGI socket", "uwsgi modifier not supported",
                       "FastCGI questions without a request", "body longer than CONTENT_LENGTH"):
            self.assertIn(reason, daemon.output())

    def test_at_an_address_that_takes_all(self):
        """By their first bytes; what begins as none of them, or as HTTP, has another answer there."""
        port = harness.free_port()
        self.serve("--socket=127.0.0.1:%d" % port)
        self.run_all(dict.fromkeys(gateway_wire.SPEECHES, port), [c for c in gateway_suite.CASES if not c.own],
                     lambda case: case.gate or case.want)


if __name__ == "__main__":
    unittest.main(verbosity=2)
