"""What an attacker tries: a body that is a request, a client that never reads."""

import base64
import os
import socket
import unittest

import harness
from harness import Case, eventually, raw, request


def basic(user, password):
    return "Basic " + base64.b64encode(("%s:%s" % (user, password)).encode()).decode()


class Vassal(Case):
    def serve(self, *args, module="shapes"):
        self.port = harness.free_port()
        daemon = self.vassal("--http", "127.0.0.1:%d" % self.port, "--chdir", str(harness.APPS), "--module", module, *args)
        eventually(lambda: "vassal: serving" in daemon.output(), 15, "vassal serves")
        return daemon


class Bodies(Vassal):
    """No byte of a body is ever taken for a request."""

    INNER = b"GET /plain?inner HTTP/1.1\r\nHost: a\r\n\r\n"

    def test_of_one_whose_password_could_not_be_looked_up(self):
        daemon = self.serve("--route", "^/pid basicauth:Place,%s" % (self.folder / "none"))
        head = b"POST /pid HTTP/1.1\r\nHost: a\r\nAuthorization: %s\r\n" % basic("joe", "one").encode()
        for body in (b"Content-Length: %d\r\n\r\n%s" % (len(self.INNER), self.INNER),
                     b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(self.INNER), self.INNER)):
            data = raw(self.port, head + body, shutdown=True)
            self.assertTrue(data.startswith(b"HTTP/1.1 503 "), data)
            self.assertEqual(data.count(b"HTTP/1.1 "), 1, data)
        self.assertNotIn("inner", daemon.output())


class Patience(Vassal):
    def test_who_never_reads_small_files_is_cut_off(self):
        root = self.folder / "files"
        root.mkdir()
        (root / "a.bin").write_bytes(b"x" * 60000)
        daemon = self.serve("--static-map", "/s=%s" % root, "--socket-timeout", "1")
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.connect(("127.0.0.1", self.port))
            s.setblocking(False)
            ask = b"GET /s/a.bin HTTP/1.1\r\nHost: a\r\n\r\n" * 400
            sent = s.send(ask)
            self.assertGreater(sent, 1000)
            eventually(lambda: "does not read its answer" in daemon.output(), 8, "the client is given up")
        self.assertEqual(request(self.port, "/plain").status, 200)


if __name__ == "__main__":
    unittest.main(verbosity=2)
