"""wsgi.file_wrapper: large files leave by the front, and the worker is free at once."""

import hashlib
import os
import pathlib
import socket
import unittest

import harness
from harness import Case, eventually, open_files, raw, request
from test_http import answers

MEGABYTE = 1 << 20
APP = """
import io, os, tempfile
PATH = os.environ["BIG_FILE"]

class Loud:
    def __init__(self, file):
        self.file, self.read = file, file.read
    def close(self):
        self.file.close()
        print("closed it", flush=True)

def application(environ, start_response):
    path, fields = environ["PATH_INFO"], []
    if path == "/pid":
        start_response("200 OK", [])
        return [str(os.getpid()).encode()]
    f = open(PATH, "rb")
    if path == "/offset":
        f.seek(1000003)
    elif path == "/part":
        f.seek(5)
        fields = [("Content-Length", "300000"), ("Content-Range", "bytes 5-300004/*")]
    elif path == "/long":
        fields = [("Content-Length", "999999999")]
    elif path == "/unlinked":
        f.close()
        f = tempfile.NamedTemporaryFile()
        f.write(b"t" * 3000000)
        f.seek(0)
    elif path == "/unbuffered":
        f = open(PATH, "rb", 0)
    elif path == "/closes":
        close = f.close
        f.close = lambda: (close(), print("closed it", flush=True))
    elif path == "/wrapped":
        f = Loud(f)
    elif path == "/written":
        write = start_response("200 OK", [])
        write(b"written first, ")
        return environ["wsgi.file_wrapper"](f)
    elif path == "/pipe":
        a, b = os.pipe()
        os.write(b, b"through a pipe")
        os.close(b)
        f = os.fdopen(a, "rb")
    elif path == "/empty":
        f = tempfile.TemporaryFile()
    elif path == "/proc":
        f = open("/proc/version", "rb")
    elif path == "/unreadable":
        f = io.FileIO(os.open(PATH, os.O_WRONLY), "rb")
    elif path == "/cut":
        f = open(PATH + ".cut", "rb")
    start_response(environ["QUERY_STRING"].replace("%20", " ") or "200 OK", fields)
    return environ["wsgi.file_wrapper"](f, 8192)
"""


class FileWrapper(Case):
    def setUp(self):
        super().setUp()
        self.data = bytes(range(251)) * 33000  # 8 MB in which no two positions look alike
        (self.folder / "big").write_bytes(self.data)
        (self.folder / "files.py").write_text(APP)
        self.port = harness.free_port()
        self.process = self.vassal("--http", "127.0.0.1:%d" % self.port, "--chdir", self.folder, "--module", "files",
                                   env={"BIG_FILE": str(self.folder / "big")})

        def up():
            try:
                return request(self.port, "/pid").status == 200
            except OSError:
                self.assertTrue(self.process.alive(), self.process.output())

        eventually(up, 15, "vassal answers")

    def get(self, path, **kw):
        return request(self.port, path, **kw)

    def held(self):
        """Has the front this file open?"""
        return any(name.startswith(str(self.folder / "big")) for name in open_files(self.process.process.pid))

    def slow_client(self, path):
        s = socket.create_connection(("127.0.0.1", self.port), 10 * harness.PATIENCE)
        self.addCleanup(s.close)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        s.sendall(b"GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % path.encode())
        return s

    def test_every_kind_of_file_arrives_whole(self):
        for path, wanted in (("/", self.data), ("/offset", self.data[1000003:]), ("/part", self.data[5:300005]), ("/unlinked", b"t" * 3000000),
                             ("/unbuffered", self.data), ("/wrapped", self.data), ("/written", b"written first, " + self.data),
                             ("/pipe", b"through a pipe"), ("/empty", b""),
                             # of no size, and not empty
                             ("/proc", pathlib.Path("/proc/version").read_bytes())):
            with self.subTest(path=path):
                answer = self.get(path)
                self.assertEqual((answer.status, hashlib.md5(answer.body).hexdigest()), (200, hashlib.md5(wanted).hexdigest()))
                if path != "/wrapped":
                    self.assertIn(answer.headers["Content-Length"], (None, str(len(wanted))))
        eventually(lambda: not self.held(), 5, "the front lets it go")

    def test_the_worker_is_free_and_close_was_called_while_a_client_still_reads(self):
        slow = self.slow_client("/closes")
        eventually(lambda: "closed it" in self.process.output(), 5, "close() is called")
        eventually(self.held, 5, "the front holds the file")
        (self.folder / "big").unlink()
        self.assertEqual(self.get("/pid").status, 200)  # the only worker
        received = b""
        while piece := slow.recv(65536):
            received += piece
        self.assertEqual(received.partition(b"\r\n\r\n")[2], self.data)
        eventually(lambda: not self.held(), 5, "the front lets it go")

    def test_a_client_that_goes_leaves_no_file_open(self):
        slow = self.slow_client("/")
        eventually(self.held, 5, "the front holds the file")
        slow.close()
        eventually(lambda: not self.held(), 5, "the front lets it go")
        self.assertEqual(self.get("/").body, self.data)

    def test_the_connection_goes_on_and_head_and_304_have_no_body(self):
        get = b"GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n"
        data = raw(self.port, get % (b"/", b"") + get % (b"/?304%20Not%20Modified", b"") + get.replace(b"GET", b"HEAD") % (b"/", b"")
                   + get % (b"/pid", b"Connection: close\r\n"))
        head, _, rest = data.partition(b"\r\n\r\n")
        self.assertIn(b"Content-Length: %d" % len(self.data), head)
        self.assertEqual(rest[:len(self.data)], self.data)
        rest = rest[len(self.data):]
        self.assertTrue(rest.startswith(b"HTTP/1.1 304 "), rest[:100])
        unchanged, _, rest = rest.partition(b"\r\n\r\n")
        self.assertTrue(rest.startswith(b"HTTP/1.1 200 "), rest[:100])
        head, _, rest = rest.partition(b"\r\n\r\n")
        self.assertIn(b"Content-Length: %d" % len(self.data), head)
        self.assertEqual(answers(rest)[0][0], 200)

    def test_the_apps_status_and_fields_are_kept(self):
        answer = self.get("/part?206%20Partial%20Content")
        self.assertEqual((answer.status, answer.headers["Content-Range"], len(answer.body)), (206, "bytes 5-300004/*", 300000))
        eventually(lambda: '"GET /part?206%20Partial%20Content" 206 300000' in self.process.output(), 5, "its line in the log")

    def test_a_file_that_is_shorter_than_content_length_is_seen(self):
        data = raw(self.port, b"GET /long HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertIn(b"Content-Length: 999999999", data)
        self.assertLess(len(data), 999999999)
        eventually(lambda: "its Content-Length says 999999999" in self.process.output(), 5)

    def test_a_file_that_is_cut_while_it_is_sent_ends_by_a_reset(self):
        cut = self.folder / "big.cut"
        with open(cut, "wb") as f:
            f.truncate(64 * MEGABYTE)
        slow = self.slow_client("/cut")
        self.assertIn(b"200 OK", slow.recv(100))  # cut before that, it would be a 500
        os.truncate(cut, MEGABYTE)
        with self.assertRaises(ConnectionResetError):
            while slow.recv(1 << 20):
                pass
        eventually(lambda: "became shorter while it was sent" in self.process.output(), 5)

    def test_a_file_that_cannot_be_read_is_a_500(self):
        answer = self.get("/unreadable")
        self.assertEqual(answer.status, 500)
        eventually(lambda: "/unreadable: exception in the app\nOSError: " in self.process.output(), 5, "the log says why")

    def test_ten_at_once(self):
        import concurrent.futures

        with concurrent.futures.ThreadPoolExecutor(10) as pool:
            got = list(pool.map(lambda _: hashlib.md5(self.get("/").body).hexdigest(), range(30)))
        self.assertEqual(got, [hashlib.md5(self.data).hexdigest()] * 30)
        eventually(lambda: not self.held(), 5, "the front lets it go")


if __name__ == "__main__":
    unittest.main(verbosity=2)
