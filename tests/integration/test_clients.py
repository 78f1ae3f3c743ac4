"""The clients that people have: curl, h2load's HTTP/1 mode, wrk and nc, each as it is, at an address of an app and at the shared port."""

import re
import subprocess
import unittest

import harness
from harness import Case


def run(*argv, data=None):
    return subprocess.run([str(a) for a in argv], input=data, capture_output=True, timeout=30 * harness.PATIENCE)


class Clients(Case):
    def setUp(self):
        super().setUp()
        own = harness.free_port()
        e = self.emperor()
        e.drop("a", "shapes", "default = true\nhttp = 127.0.0.1:%d\nprocesses = 2\ndisable-logging = true\nstatic-map = /apps=%s"
               % (own, harness.APPS))
        e.wait_up("a", "/plain")
        self.ports = (own, e.port)

    def test_curl(self):
        curl = ("curl", "-sS", "-m", "20", "-H", "Host: a.test")
        big = bytes(range(256)) * 2000
        for port in self.ports:
            url = "http://127.0.0.1:%d" % port
            # one connection for all of them
            got = run(*curl, "-v", url + "/plain", url + "/plain", url + "/plain")
            self.assertEqual(got.stdout, b"plain" * 3)
            self.assertEqual(got.stderr.count(b"Re-using existing connection"), 2, got.stderr)
            self.assertEqual(run(*curl, "-I", url + "/plain").stdout.split(b"\r\n\r\n")[1], b"")
            # it waits for 100 Continue with a body of that size
            got = run(*curl, "-v", "--data-binary", "@-", "-H", "Expect: 100-continue", url + "/echo", data=big)
            self.assertEqual(got.stdout, big)
            self.assertIn(b"< HTTP/1.1 100 Continue", got.stderr)
            # of unknown length
            self.assertEqual(run(*curl, "-T", "-", url + "/echo", data=big).stdout, big)
            self.assertEqual(run(*curl, "-0", url + "/stream").stdout.count(b"piece"), 5)
            self.assertEqual(run(*curl, url + "/stream").stdout.count(b"piece"), 5)
            whole = (harness.APPS / "shapes.py").read_bytes()
            self.assertEqual(run(*curl, "-r", "10-99", url + "/apps/shapes.py").stdout, whole[10:100])
            self.assertEqual(run(*curl, "--compressed", url + "/apps/shapes.py").stdout, whole)
            # h2c is offered and declined (RFC 9110 7.8)
            self.assertEqual(run(*curl, "--http2", url + "/plain").stdout, b"plain")
            self.assertEqual(run(*curl, "-x", url, "http://a.test/plain").stdout, b"plain")
            got = run(*curl, "https://127.0.0.1:%d/" % port)
            self.assertNotEqual(got.returncode, 0)

    def test_h2load_in_http_1_mode(self):
        for port in self.ports:
            for path in ("/plain", "/stream", "/apps/shapes.py"):
                got = run("h2load", "--h1", "-n", "1000", "-c", "10", "-t", "1", "http://127.0.0.1:%d%s" % (port, path))
                out = got.stdout.decode()
                self.assertIn("1000 succeeded, 0 failed, 0 errored, 0 timeout", out)
                self.assertIn("status codes: 1000 2xx", out)

    def test_wrk(self):
        for port in self.ports:
            for extra in ((), ("-H", "Connection: close")):
                out = run("wrk", "-t1", "-c16", "-d1s", "-H", "Host: a.test", *extra, "http://127.0.0.1:%d/plain" % port).stdout.decode()
                self.assertGreater(int(re.search(r"(\d+) requests in", out).group(1)), 100)
                self.assertNotIn("Socket errors", out)
                self.assertNotIn("Non-2xx", out)

    def test_nc(self):
        for port in self.ports:
            for head, shut in ((b"GET /plain HTTP/1.0\r\nHost: a.test\r\n\r\n", ()),
                               (b"GET /plain HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n", ()),
                               # the end of what it sends is not the end of what it wants
                               (b"GET /plain HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n", ("-N",))):
                got = run("nc", *shut, "127.0.0.1", port, data=head).stdout
                self.assertTrue(got.startswith(b"HTTP/1.1 200 OK\r\n") and got.endswith(b"\r\n\r\nplain"), got)


if __name__ == "__main__":
    unittest.main(verbosity=2)
