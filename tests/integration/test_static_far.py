"""Files of a disk that answers when it likes, as one behind a network does: the front goes on with everybody else meanwhile."""

import threading
import unittest

from harness import eventually, request
from slow_disk import SlowDisk, may_mount
from static_files import Files

BIG = bytes(range(256)) * 4000


@unittest.skipUnless(may_mount(), "mounts a file system of its own: needs root and /dev/fuse")
class Far(Files):
    FILES = {}

    def setUp(self):
        super().setUp()
        self.disk = SlowDisk(self.folder / "disk", {"small": b"small", "big.bin": BIG, "s.css": b"plain", "s.css.br": b"br"})
        self.addCleanup(self.disk.end)
        self.served("--static-map", "/s=%s" % self.disk.folder, "--sendfile-root", self.disk.folder, "--static-gzip-all")

    def held(self, path, headers=None, method="GET"):
        """The answer to a request each of whose questions to the disk waits until another request was answered."""
        answers = []
        asks = threading.Thread(target=lambda: answers.append(request(self.port, path, method=method, headers=headers, timeout=60)))
        self.disk.hold()
        asks.start()
        questions = 0
        while True:
            eventually(lambda: self.disk.waiting > 0 or not asks.is_alive(), 20, "a question or the answer")
            if self.disk.waiting == 0:
                break
            self.assertEqual(request(self.port, "/up", timeout=20).text, "app GET")
            self.disk.step()
            questions += 1
        asks.join()
        self.assertGreater(questions, 0)
        self.assertEqual(request(self.port, "/up").status, 200)
        return answers[0]

    def test_whoever_asks_for_a_file_waits_alone(self):
        for _ in range(2):  # what was found a moment ago is asked for anew
            self.assertEqual(self.held("/s/small").body, b"small")
        self.assertEqual(self.held("/s/big.bin").body, BIG)
        self.assertEqual(self.held("/s/nothing").text, "app GET")
        self.assertEqual(self.held("/s/small", method="HEAD").headers["Content-Length"], "5")

    def test_parts_and_conditions_and_forms(self):
        self.assertEqual(self.held("/s/big.bin", {"Range": "bytes=300000-900000"}).body, BIG[300000:900001])
        parts = self.held("/s/big.bin", {"Range": "bytes=0-9,500000-500009"})
        self.assertEqual((parts.status, parts.body.count(b"Content-Range"), parts.body.count(bytes(range(10)))), (206, 2, 1))
        tag = self.held("/s/small").headers["ETag"]
        self.assertEqual(self.held("/s/small", {"If-None-Match": tag}).status, 304)
        self.assertEqual(self.held("/s/s.css", {"Accept-Encoding": "br"}).body, b"br")

    def test_a_file_that_the_app_hands_over(self):
        self.assertEqual(self.held("/?X-Sendfile=%s/big.bin" % self.disk.folder).body, BIG)

    def test_a_file_that_the_app_wraps(self):
        """Its worker waits for it."""
        self.process.stop()
        self.served("--processes", "2", module="wraps")
        self.assertEqual(self.held("/?%s/big.bin" % self.disk.folder).body, BIG)


if __name__ == "__main__":
    unittest.main(verbosity=2)
