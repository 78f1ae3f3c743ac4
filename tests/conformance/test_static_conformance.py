"""The static suite against ours: three sites at their own addresses, and what is asked of one file behind nginx as well."""

import concurrent.futures
import pathlib
import shutil
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

import harness  # noqa: E402
import static_site  # noqa: E402
import static_suite  # noqa: E402
import wire  # noqa: E402
from test_conformance import check_answer  # noqa: E402


class StaticConformance(harness.Case):
    def setUp(self):
        super().setUp()
        shutil.copy(HERE / "app.py", self.folder)
        static_site.make(self.folder)

    def serve(self, site, kind="http"):
        port = harness.free_port()
        arguments = ["--%s=%s" % item for item in static_site.options(site, self.folder)]
        if site != "bare":
            arguments += ["--chdir", self.folder, "--module", "app", "--processes", "2"]
        daemon = self.vassal("--%s" % kind, "127.0.0.1:%d" % port, *arguments, name=site)
        harness.eventually(lambda: "vassal: serving" in daemon.output() or not daemon.alive(), 15, "vassal serves")
        return port

    def run_all(self, ports, cases, rule=None):
        etag = harness.request(ports["app"], "/s/a.bin").headers["ETag"]

        def one(case):
            found = wire.verdict(ports[case.site], case.of(etag), None, True, 10 * harness.PATIENCE, rule, static_site.Files)
            return found and "%s: %s: %s (%s)" % (case.group, case.name, found, case.rfc)

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            wrong = [w for w in pool.map(one, cases) if w]
        self.assertEqual(wrong, [], "\n" + "\n".join(wrong))

    def test_each_case(self):
        self.assertGreaterEqual(len(static_suite.CASES), 60)
        self.run_all({site: self.serve(site) for site in ("app", "plain", "bare")}, static_suite.CASES, check_answer)

    def test_of_one_file_by_uwsgi_behind_nginx(self):
        port = harness.free_port()
        self.nginx("location / { include /etc/nginx/uwsgi_params; uwsgi_pass 127.0.0.1:%d; }" % self.serve("app", "socket"), port)
        cases = [c for c in static_suite.CASES if c.group in ("conditions", "ranges") and c.site == "app" and not c.own]
        self.assertGreaterEqual(len(cases), 60)
        self.run_all({"app": port}, cases)


if __name__ == "__main__":
    unittest.main(verbosity=2)
