"""Bodies and answers that are larger than anybody's memory should get: no process grows with them.

EMPEROR_LARGE_MIB says how large they are; 64 if nothing does, 1024 in scripts/fault.
"""

import hashlib
import os
import socket
import unittest

import harness
from harness import Case
from test_http import serve

MIB = int(os.environ.get("EMPEROR_LARGE_MIB", "64"))
# What a process may take beyond what it had: buffers of a connection, a ring, Python's own. Less than an eighth of the
# smallest body.
GROWTH_KIB = 8 * 1024
PIECE = bytes(range(256)) * 4096  # 1 MiB


def peaks(daemon):
    """pid -> the most memory that it ever held, in KiB (VmHWM: shared pages and mapped files too)."""
    found = {}
    for pid in [daemon.process.pid, *harness.descendants(daemon.process.pid)]:
        try:
            with open("/proc/%d/status" % pid) as f:
                found[pid] = next(int(line.split()[1]) for line in f if line.startswith("VmHWM"))
        except (OSError, StopIteration):
            pass
    return found


class Large(Case):
    def setUp(self):
        super().setUp()
        self.port, self.daemon = serve(self, "--processes", "1")
        # what every request of this kind needs once
        self.upload(b"Content-Length: %d\r\n" % len(PIECE), [PIECE], 1)
        self.download(b"/big?16")
        self.before = peaks(self.daemon)
        self.assertGreaterEqual(len(self.before), 3, "front, mold, worker")

    def stay_small(self):
        after = peaks(self.daemon)
        self.assertEqual(set(after), set(self.before))
        grown = {harness.title(pid): after[pid] - self.before[pid] for pid in after}
        print("%d MiB; KiB that processes grew by: %s" % (MIB, grown))
        self.assertLess(max(grown.values()), GROWTH_KIB)

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), 120 * harness.PATIENCE)

    def upload(self, framing, pieces, mib):
        expected = hashlib.md5()
        with self.connect() as s:
            s.sendall(b"POST /count HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + framing + b"\r\n")
            for piece in pieces:
                s.sendall(piece)
            answer = s.makefile("rb").read()
        for _ in range(mib):
            expected.update(PIECE)
        self.assertTrue(answer.endswith(b"%d %s" % (mib << 20, expected.hexdigest().encode())), answer[-200:])

    def download(self, target, version=b"HTTP/1.1"):
        """Body bytes that came, as they came."""
        with self.connect() as s:
            s.sendall(b"GET %s %s\r\nHost: a\r\nConnection: close\r\n\r\n" % (target, version))
            head, _, rest = s.recv(65536).partition(b"\r\n\r\n")
            total = len(rest)
            buffer = bytearray(1 << 20)
            while n := s.recv_into(buffer):
                total += n
            return head, total

    def test_an_upload_with_its_length(self):
        self.upload(b"Content-Length: %d\r\n" % (MIB << 20), (PIECE for _ in range(MIB)), MIB)
        self.stay_small()

    def test_an_upload_in_chunks(self):
        def chunks():
            for _ in range(MIB):
                yield b"%x\r\n" % len(PIECE)
                yield PIECE + b"\r\n"
            yield b"0\r\n\r\n"

        self.upload(b"Transfer-Encoding: chunked\r\n", chunks(), MIB)
        self.stay_small()

    def test_a_download_with_its_length(self):
        head, total = self.download(b"/big?%d" % (MIB * 16))
        self.assertIn(b"Content-Length: %d" % (MIB << 20), head)
        self.assertEqual(total, MIB << 20)
        self.stay_small()

    def test_a_download_of_unknown_length(self):
        head, total = self.download(b"/endless?%d" % (MIB * 16))
        self.assertIn(b"Transfer-Encoding: chunked", head)
        self.assertGreater(total, MIB << 20)
        self.stay_small()

    def test_a_download_that_ends_with_its_connection(self):
        head, total = self.download(b"/endless?%d" % (MIB * 16), b"HTTP/1.0")
        self.assertNotIn(b"chunked", head)
        self.assertEqual(total, MIB << 20)
        self.stay_small()

    def test_a_download_that_nobody_reads_for_a_while(self):
        with self.connect() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            s.sendall(b"GET /big?%d HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % (MIB * 16))
            # the worker has given all of it, to a file: it is free for others
            self.assertEqual(harness.request(self.port, "/plain", timeout=60).status, 200)
            self.stay_small()
            total = 0
            while piece := s.recv(1 << 20):
                total += len(piece)
        self.assertGreater(total, MIB << 20)
        self.stay_small()


if __name__ == "__main__":
    unittest.main(verbosity=2)
