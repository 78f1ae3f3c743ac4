"""Files that the front sends under pressure: beside an app, to slow readers, while they change."""

import hashlib
import os
import time
import unittest

from harness import raw, request
from test_front import GET, ONCE, Pressed, opened, rest_of
from test_http import answers


class Static(Pressed):
    def setUp(self):
        super().setUp()
        self.root = self.folder / "files"
        (self.root / "sub").mkdir(parents=True)
        (self.folder / "secret.txt").write_text("secret")
        self.files = {"a.txt": b"text", "empty.css": b"", "sub/b.js": b"x" * 65536, "sub/c.bin": bytes(range(256)) * 257,
                      "sp ace.html": b"<p>"}
        for name, data in self.files.items():
            (self.root / name).write_bytes(data)
        self.served("--static-map", "/static=%s" % self.root, "--socket-timeout", "5")

    def test_each_file_comes_whole_with_type_length_and_validators(self):
        for name, data in self.files.items():
            with self.subTest(name=name):
                path = "/static/" + name.replace(" ", "%20")
                answer = request(self.port, path)
                self.assertEqual((answer.status, answer.body), (200, data))
                self.assertEqual(int(answer.headers["Content-Length"]), len(data))
                head = request(self.port, path, method="HEAD")
                self.assertEqual((head.status, head.body, head.headers["Content-Length"]), (200, b"", str(len(data))))
                for field, value in (("If-None-Match", answer.headers["ETag"]), ("If-None-Match", '"x", W/' + answer.headers["ETag"]),
                                     ("If-Modified-Since", answer.headers["Last-Modified"])):
                    fresh = request(self.port, path, headers={field: value})
                    self.assertEqual((fresh.status, fresh.body), (304, b""))
                    self.assertEqual(fresh.headers["ETag"], answer.headers["ETag"])
                self.assertEqual(request(self.port, path, headers={"If-None-Match": '"x"'}).status, 200)
        self.assertEqual(request(self.port, "/static/a.txt").headers["Content-Type"], "text/plain; charset=utf-8")

    def test_a_changed_file_has_another_etag(self):
        before = request(self.port, "/static/a.txt").headers["ETag"]
        (self.root / "a.txt").write_bytes(b"TEXT")
        after = request(self.port, "/static/a.txt", headers={"If-None-Match": before})
        self.assertEqual((after.status, after.body), (200, b"TEXT"))

    def test_nothing_outside_the_root_is_ever_sent(self):
        os.symlink(self.folder / "secret.txt", self.root / "absolute")
        os.symlink("../secret.txt", self.root / "relative")
        os.symlink("..", self.root / "up")
        os.symlink(self.folder, self.root / "sub" / "dir")
        os.symlink("/proc/self/root%s/secret.txt" % self.folder, self.root / "magic")
        os.symlink("sub/b.js", self.root / "inside")
        os.mkfifo(self.root / "fifo")
        for path in ("absolute", "relative", "up/secret.txt", "sub/dir/secret.txt", "magic", "../secret.txt", "%2e%2e/secret.txt",
                     "sub/../../secret.txt", "..%2fsecret.txt", "/" + str(self.folder) + "/secret.txt", "%2f" + str(self.folder)[1:] + "/secret.txt",
                     "fifo", "sub", "sub/", "", "nothing", "a.txt/", "a.txt%00"):
            with self.subTest(path=path):
                data = raw(self.port, b"GET /static/%s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % path.encode())
                self.assertNotIn(b"secret", data.partition(b"\r\n\r\n")[2])
                self.assertTrue(data.endswith(b"plain") or data.startswith(b"HTTP/1.1 400"), data[:200])  # the app's to answer
        self.assertEqual(request(self.port, "/static/inside").body, self.files["sub/b.js"])
        self.assertEqual(request(self.port, "/staticx").text, "plain")

    def test_files_and_the_app_alternate_on_one_connection(self):
        data = raw(self.port, GET % b"/static/a.txt" + GET % b"/note?1" + GET % b"/static/sub/c.bin" + GET % b"/static/a.txt"
                   + ONCE % b"/note?2")
        self.assertEqual([b for _, _, b in answers(data)], [b"text", b"1", self.files["sub/c.bin"], b"text", b"2"])

    def large(self, megabytes):
        path = self.root / "large.bin"
        with open(path, "wb") as f:
            for n in range(megabytes):
                f.write(b"%c" % (65 + n % 26) * (1 << 20))
            os.fsync(f.fileno())
            os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return path

    def test_a_cold_file_and_a_slow_reader(self):
        path = self.large(20)
        s = opened(self.port, ONCE % b"/static/large.bin", buffer=8192)
        time.sleep(0.3)
        self.assertEqual(request(self.port, "/plain").status, 200)
        data, cut = rest_of(s)
        self.assertFalse(cut)
        self.assertEqual(hashlib.md5(data.partition(b"\r\n\r\n")[2]).digest(), hashlib.md5(path.read_bytes()).digest())

    def test_a_file_that_shrinks_while_it_is_sent_is_visibly_cut(self):
        path = self.large(20)
        s = opened(self.port, GET % b"/static/large.bin", buffer=8192)
        self.assertTrue(s.recv(100).startswith(b"HTTP/1.1 200"))
        os.truncate(path, 1000)
        data, cut = rest_of(s)
        self.assertTrue(cut)
        self.assertLess(len(data), 20 << 20)
        self.assertEqual(request(self.port, "/plain").status, 200)
        self.assertTrue(self.said("became shorter"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
