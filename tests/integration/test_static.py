"""Static files that change while they are served. What an answer must be at all is in tests/conformance/static_*.py."""

import os
import socket
import struct
import unittest

from harness import eventually, open_files
from static_files import Files


class Changes(Files):
    def setUp(self):
        super().setUp()
        self.served("--static-map", "/s=%s" % self.root)

    def test_the_boundary_of_parts_is_another_each_time(self):
        """So that nobody can put it into a file."""
        one, two = (self.get("/s/sub/b.txt", {"Range": "bytes=0-0,2-2"}) for _ in range(2))
        self.assertEqual((one.status, two.status), (206, 206))
        self.assertNotEqual(one.headers["Content-Type"], two.headers["Content-Type"])

    def test_a_change_is_seen_at_once_however_it_is_made(self):
        path = self.root / "c.txt"

        def replaced(data):
            (self.root / "new").write_bytes(data)
            (self.root / "new").rename(path)

        def appended(data):
            with open(path, "ab") as f:
                f.write(data)

        replaced(b"one")
        self.assertEqual(self.get("/s/c.txt").body, b"one")
        for change, data, whole in ((replaced, b"two", b"two"), (path.write_bytes, b"thr", b"thr"), (appended, b"ee", b"three"),
                                    (path.write_bytes, b"", b"")):
            with self.subTest(whole=whole):
                change(data)
                answer = self.get("/s/c.txt")
                self.assertEqual((answer.body, answer.headers["Content-Length"]), (whole, str(len(whole))))
        path.unlink()
        self.assertEqual(self.get("/s/c.txt").text, "app GET")
        path.write_bytes(b"again")
        self.assertEqual(self.get("/s/c.txt").body, b"again")

    def test_a_file_that_is_cut_while_it_is_sent_ends_in_a_reset(self):
        for fields in (b"", b"Range: bytes=0-,5-5\r\n", b"Range: bytes=1-29999999\r\n", b"Range: bytes=0-14999999,15000000-29999990\r\n"):
            with self.subTest(fields=fields):
                path = self.put("long.bin", b"x" * 30000000)
                with socket.create_connection(("127.0.0.1", self.port), timeout=20) as s:
                    s.sendall(b"GET /s/long.bin HTTP/1.1\r\nHost: a\r\n%s\r\n" % fields)
                    got = len(s.recv(1000))
                    os.truncate(path, 4096)
                    with self.assertRaises(ConnectionResetError):
                        while piece := s.recv(1 << 20):
                            got += len(piece)
                self.assertLess(got, 30000000)  # what is cut is not made up for
        self.said("became shorter")

    def test_nothing_stays_open(self):
        self.get("/s/a.bin")
        before = self.front_fds()
        for n in range(300):
            self.put("many/%d" % n, b"x")
            self.assertEqual(self.get("/s/many/%d" % n).body, b"x")
        self.assertLessEqual(self.front_fds(), before + 4 * 128)
        for n in range(30):  # clients that leave in the middle
            with socket.create_connection(("127.0.0.1", self.port)) as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                s.sendall(b"GET /s/big.bin HTTP/1.1\r\nHost: a\r\n\r\n")
                s.recv(10)
        eventually(lambda: not [name for name in open_files(self.process.process.pid)
                                if name.startswith(str(self.root) + "/")], 20, "files are closed again")
        eventually(lambda: self.front_fds() <= before, 20, "so is all else")


class Releases(Files):
    def test_a_directory_that_a_deploy_replaces(self):
        releases = [self.folder / "r1", self.folder / "r2"]
        for folder in releases:
            folder.mkdir()
            (folder / "f").write_bytes(folder.name.encode())
        current = self.folder / "current"
        current.symlink_to(releases[0])
        self.served("--static-map", "/s=%s" % current)
        self.assertEqual(self.get("/s/f").body, b"r1")
        (self.folder / "new").symlink_to(releases[1])
        (self.folder / "new").rename(current)
        eventually(lambda: self.get("/s/f").body == b"r2", 5, "the new release is served")


class Routed(Files):
    def test_what_a_route_does_not_have_the_maps_do_however_cold_the_disk_is(self):
        empty = self.folder / "empty"
        empty.mkdir()
        self.served("--route", "^/s/(.*) static:%s/$1" % empty, "--static-map", "/s=%s" % self.root)
        for i in range(3):  # names that nobody has asked that folder for
            self.put("new%d" % i, b"new")
            self.assertEqual([self.get("/s/new%d" % i).body for _ in range(2)], [b"new"] * 2)
        self.assertEqual(self.get("/s/neither").text, "app GET")


if __name__ == "__main__":
    unittest.main(verbosity=2)
