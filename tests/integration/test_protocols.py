"""The protocols of the front, spoken byte by byte by clients of our own."""

import struct
import unittest

import harness
from harness import Case, eventually, raw, request


def uwsgi(variables, modifier=0):
    body = b"".join(struct.pack("<H", len(k)) + k + struct.pack("<H", len(v)) + v for k, v in variables)
    return struct.pack("<BHB", modifier, len(body), 0) + body


class Spoken(Case):
    def serve(self, *args, module="shapes"):
        """One app with an HTTP address beside those that are tested."""
        self.http = harness.free_port()
        self.front = self.vassal("--http", "127.0.0.1:%d" % self.http, "--chdir", str(harness.APPS), "--module", module,
                                 *args)

        def up():
            try:
                return request(self.http, "/plain").status == 200
            except OSError:
                self.assertTrue(self.front.alive(), self.front.output())

        eventually(up, 15)
        return self.front


class Uwsgi(Spoken):
    def test_a_ping_is_answered_and_counts_as_no_request(self):
        port = harness.free_port()
        self.serve("--uwsgi-socket", "127.0.0.1:%d" % port)
        self.assertEqual(raw(port, b"\x64\0\0\0"), b"\x64\0\0\1")
        get = [(b"REQUEST_METHOD", b"GET"), (b"REQUEST_URI", b"/plain")]
        self.assertTrue(raw(port, uwsgi(get)).startswith(b"HTTP/1.1 200 OK\r\n"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
