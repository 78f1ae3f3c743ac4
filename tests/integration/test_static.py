"""Static files as clients see them: each row names the section of RFC 9110 (or of the manual) that it stands for."""

import email
import email.policy
import os
import pathlib
import re
import socket
import struct
import time
import unittest

import harness
from harness import eventually, raw, request
from static_files import DATE, TEXT, Files

BEFORE, AFTER = "Sun, 06 Nov 1994 08:49:36 GMT", "Sun, 06 Nov 1994 08:49:38 GMT"


class Conditions(Files):
    """RFC 9110 13 and 14, a table of requests for one file of 1024 bytes."""

    # section, method, fields, status, body, (field of the answer, value; None: not there)...
    ROWS = [
        ("15.3.1 whole", "GET", {}, 200, TEXT, ("Content-Length", "1024"), ("Accept-Ranges", "bytes"), ("Last-Modified", DATE)),
        ("9.3.2 HEAD says the same", "HEAD", {}, 200, b"", ("Content-Length", "1024"), ("Accept-Ranges", "bytes")),
        ("13.1.1 If-Match hits", "GET", {"If-Match": "ETAG"}, 200, TEXT),
        ("13.1.1 If-Match *", "GET", {"If-Match": "*"}, 200, TEXT),
        ("13.1.1 If-Match in a list", "GET", {"If-Match": '"x", ETAG'}, 200, TEXT),
        ("13.1.1 If-Match misses", "GET", {"If-Match": '"x"'}, 412, None),
        ("13.1.1 If-Match is strong", "GET", {"If-Match": "W/ETAG"}, 412, None),
        ("13.1.1 If-Match of HEAD", "HEAD", {"If-Match": '"x"'}, 412, b""),
        ("13.1.2 If-None-Match hits", "GET", {"If-None-Match": "ETAG"}, 304, b"", ("ETag", "ETAG"), ("Content-Type", None)),
        ("13.1.2 If-None-Match is weak", "GET", {"If-None-Match": "W/ETAG"}, 304, b""),
        ("13.1.2 If-None-Match *", "GET", {"If-None-Match": "*"}, 304, b""),
        ("13.1.2 If-None-Match in a list", "GET", {"If-None-Match": '"x" , W/"y", ETAG'}, 304, b""),
        ("13.1.2 If-None-Match misses", "GET", {"If-None-Match": '"x"'}, 200, TEXT),
        ("13.1.2 If-None-Match of HEAD", "HEAD", {"If-None-Match": "ETAG"}, 304, b""),
        ("13.1.3 unchanged", "GET", {"If-Modified-Since": DATE}, 304, b"", ("ETag", "ETAG")),
        ("13.1.3 unchanged since later", "GET", {"If-Modified-Since": AFTER}, 304, b""),
        ("13.1.3 changed", "GET", {"If-Modified-Since": BEFORE}, 200, TEXT),
        ("13.1.3 no date is ignored", "GET", {"If-Modified-Since": "yesterday"}, 200, TEXT),
        ("5.6.7 rfc850-date", "GET", {"If-Modified-Since": "Sunday, 06-Nov-94 08:49:37 GMT"}, 304, b""),
        ("5.6.7 asctime-date", "GET", {"If-Modified-Since": "Sun Nov  6 08:49:37 1994"}, 304, b""),
        ("13.1.4 unmodified", "GET", {"If-Unmodified-Since": DATE}, 200, TEXT),
        ("13.1.4 modified", "GET", {"If-Unmodified-Since": BEFORE}, 412, None),
        ("13.1.4 no date is ignored", "GET", {"If-Unmodified-Since": "0"}, 200, TEXT),
        ("13.2.2 If-Match silences If-Unmodified-Since", "GET", {"If-Match": "ETAG", "If-Unmodified-Since": BEFORE}, 200, TEXT),
        ("13.2.2 If-None-Match silences If-Modified-Since", "GET", {"If-None-Match": '"x"', "If-Modified-Since": AFTER}, 200, TEXT),
        ("13.2.2 If-Match comes first", "GET", {"If-Match": '"x"', "If-None-Match": "ETAG"}, 412, None),
        ("13.2.2 304 before Range", "GET", {"If-None-Match": "ETAG", "Range": "bytes=0-1"}, 304, b""),
        ("14.2 one range", "GET", {"Range": "bytes=10-19"}, 206, TEXT[10:20], ("Content-Range", "bytes 10-19/1024"), ("Content-Length", "10"), ("ETag", "ETAG")),
        ("14.1.2 first byte", "GET", {"Range": "bytes=0-0"}, 206, TEXT[:1], ("Content-Range", "bytes 0-0/1024")),
        ("14.1.2 last byte", "GET", {"Range": "bytes=1023-1023"}, 206, TEXT[1023:], ("Content-Range", "bytes 1023-1023/1024")),
        ("14.1.2 open end", "GET", {"Range": "bytes=1000-"}, 206, TEXT[1000:], ("Content-Range", "bytes 1000-1023/1024")),
        ("14.1.2 end beyond", "GET", {"Range": "bytes=1000-9999"}, 206, TEXT[1000:], ("Content-Range", "bytes 1000-1023/1024")),
        ("14.1.2 suffix", "GET", {"Range": "bytes=-24"}, 206, TEXT[1000:], ("Content-Range", "bytes 1000-1023/1024")),
        ("14.1.2 suffix longer than all", "GET", {"Range": "bytes=-9999"}, 206, TEXT, ("Content-Range", "bytes 0-1023/1024")),
        ("14.1 unit in any case", "GET", {"Range": "Bytes=1-2"}, 206, TEXT[1:3]),
        ("14.2 another unit is ignored", "GET", {"Range": "lines=1-2"}, 200, TEXT),
        ("14.1.1 last before first is invalid", "GET", {"Range": "bytes=9-8"}, 200, TEXT),
        ("14.1.1 words are invalid", "GET", {"Range": "bytes=a-b"}, 200, TEXT),
        ("14.1.1 negative is invalid", "GET", {"Range": "bytes=--1"}, 200, TEXT),
        ("15.5.17 beyond the end", "GET", {"Range": "bytes=1024-"}, 416, None, ("Content-Range", "bytes */1024"), ("ETag", None)),
        ("15.5.17 suffix of nothing", "GET", {"Range": "bytes=-0"}, 416, None, ("Content-Range", "bytes */1024")),
        ("15.5.17 number beyond 64 bits", "GET", {"Range": "bytes=99999999999999999999-"}, 416, None),
        ("14.2 HEAD has no ranges", "HEAD", {"Range": "bytes=0-1"}, 200, b"", ("Content-Length", "1024"), ("Content-Range", None)),
        ("14.2 one of several left", "GET", {"Range": "bytes=5000-,0-1"}, 206, TEXT[:2], ("Content-Range", "bytes 0-1/1024")),
        ("17.15 overlapping ones", "GET", {"Range": "bytes=0-,0-,0-"}, 200, TEXT),
        ("17.15 too many", "GET", {"Range": "bytes=" + ",".join("%d-%d" % (n, n) for n in range(17))}, 200, TEXT),
        ("13.1.5 If-Range hits", "GET", {"Range": "bytes=0-1", "If-Range": "ETAG"}, 206, TEXT[:2]),
        ("13.1.5 If-Range misses", "GET", {"Range": "bytes=0-1", "If-Range": '"x"'}, 200, TEXT),
        ("13.1.5 If-Range is strong", "GET", {"Range": "bytes=0-1", "If-Range": "W/ETAG"}, 200, TEXT),
        ("13.1.5 If-Range by date", "GET", {"Range": "bytes=0-1", "If-Range": DATE}, 206, TEXT[:2]),
        ("13.1.5 If-Range by a later date", "GET", {"Range": "bytes=0-1", "If-Range": AFTER}, 200, TEXT),
        ("13.1.5 If-Range and a range beyond", "GET", {"Range": "bytes=5000-", "If-Range": '"x"'}, 200, TEXT),
        ("13.1.5 If-Range without Range", "GET", {"If-Range": '"x"'}, 200, TEXT),
    ]

    def setUp(self):
        super().setUp()
        self.served("--static-map", "/s=%s" % self.root)

    def test_each_row(self):
        etag = self.get("/s/a.bin").headers["ETag"]
        self.assertRegex(etag, r'^"[0-9a-f-]+"$')
        before = self.front_fds()
        for name, method, fields, status, body, *expected in self.ROWS:
            with self.subTest(row=name):
                answer = self.get("/s/a.bin", {k: v.replace("ETAG", etag) for k, v in fields.items()}, method)
                self.assertEqual(answer.status, status)
                if body is not None:
                    self.assertEqual(answer.body, body)
                for field, value in expected:
                    self.assertEqual(answer.headers[field], value and value.replace("ETAG", etag))
        self.assertLessEqual(self.front_fds(), before + 1)

    def parts(self, answer):
        message = email.message_from_bytes(b"Content-Type: %s\r\n\r\n" % answer.headers["Content-Type"].encode() + answer.body,
                                           policy=email.policy.HTTP)
        self.assertEqual(message.get_content_type(), "multipart/byteranges")
        return message.get_payload()

    def test_14_6_several_ranges_are_parts_in_the_order_asked_for(self):
        for path, data, ranges in (("/s/a.bin", TEXT, [(0, 1), (100, 199), (1020, 1023)]), ("/s/a.bin", TEXT, [(500, 509), (0, 0)]),
                                   ("/s/big.bin", self.FILES["big.bin"], [(900000, 999999), (5, 100004), (200000, 499999), (7, 7)])):
            with self.subTest(path=path, ranges=ranges):
                # text parts with CR or NUL confuse the email parser: cut by hand, and count by Content-Length
                answer = self.get(path, {"Range": "bytes=" + ", ".join("%d-%d" % r for r in ranges)})
                self.assertEqual(answer.status, 206)
                self.assertIsNone(answer.headers["Content-Range"])
                boundary = re.fullmatch(r"multipart/byteranges; boundary=(\w+)", answer.headers["Content-Type"]).group(1)
                wanted = b""
                for n, (first, last) in enumerate(ranges):
                    wanted += b"%s--%s\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes %d-%d/%d\r\n\r\n%s" % (
                        b"\r\n" if n else b"", boundary.encode(), first, last, len(data), data[first:last + 1])
                wanted += b"\r\n--%s--\r\n" % boundary.encode()
                self.assertTrue(answer.body == wanted)
                self.assertEqual(answer.headers["Content-Length"], str(len(wanted)))
        one, two = (self.get("/s/sub/b.txt", {"Range": "bytes=0-0,2-2"}) for _ in range(2))
        self.assertEqual([p.get_content() for p in self.parts(one)], ["s", "b"])
        self.assertNotEqual(one.headers["Content-Type"], two.headers["Content-Type"])  # nobody can put it into a file

    def test_fields_that_come_twice(self):
        etag = self.get("/s/a.bin").headers["ETag"].encode()
        for name, fields, status in (("13.1.2 tags add up", b'If-None-Match: "x"\r\nIf-None-Match: %s\r\n' % etag, b"304"),
                                     ("13.1.3 two dates are none", b"If-Modified-Since: %s\r\n" % DATE.encode() * 2, b"200"),
                                     ("14.2 two Range fields are none", b"Range: bytes=0-1\r\nRange: bytes=0-1\r\n", b"200")):
            with self.subTest(row=name):
                data = raw(self.port, b"GET /s/a.bin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + fields + b"\r\n")
                self.assertEqual(data[9:12], status)

    def test_empty_files_have_no_ranges(self):
        for fields in ({}, {"Range": "bytes=0-"}, {"Range": "bytes=-1"}):
            answer = self.get("/s/empty.txt", fields)
            self.assertEqual((answer.status, answer.body, answer.headers["Content-Length"]), (200, b"", "0"))

    def test_a_future_date_is_not_sent(self):
        """8.8.2.1"""
        self.put("a.bin", TEXT, int(time.time()) + 86400)
        answer = self.get("/s/a.bin")
        self.assertLessEqual(email.utils.parsedate_to_datetime(answer.headers["Last-Modified"]),
                             email.utils.parsedate_to_datetime(answer.headers["Date"]))

    def test_methods_that_are_the_apps(self):
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"):
            with self.subTest(method=method):
                self.assertEqual(self.get("/s/a.bin", method=method).text, "app " + method)

    def test_over_uwsgi_and_behind_nginx_it_is_the_same(self):
        port, own = harness.free_port(), harness.free_port()
        vassal = self.vassal("--socket", "127.0.0.1:%d" % own, "--chdir", str(harness.APPS), "--module", "handover", "--static-map",
                             "/s=%s" % self.root, "--sendfile-root", str(self.root), name="uwsgi")
        self.nginx("location / { include /etc/nginx/uwsgi_params; uwsgi_pass 127.0.0.1:%d; }" % own, port)
        eventually(lambda: request(port, "/up").status == 200 or not vassal.alive(), 15, "app answers behind nginx")
        etag = request(port, "/s/a.bin").headers["ETag"]
        for name, method, fields, status, body, *_ in self.ROWS:
            with self.subTest(row=name):
                answer = request(port, "/s/a.bin", method=method, headers={k: v.replace("ETAG", etag) for k, v in fields.items()})
                self.assertEqual(answer.status, status)
                if body is not None:
                    self.assertEqual(answer.body, body)
        answer = request(port, "/?X-Sendfile=%s/a.bin" % self.root, headers={"Range": "bytes=0-1"})
        self.assertEqual((answer.status, answer.body), (206, TEXT[:2]))


class Names(Files):
    """Which URL is which file, by the manual."""

    def rows(self, rows):
        for name, path, status, body in rows:
            with self.subTest(row=name, path=path):
                answer = self.get(path)
                self.assertEqual((answer.status, answer.body), (status, body))

    def test_maps_in_their_order(self):
        other = self.folder / "other"
        other.mkdir()
        (other / "a.bin").write_bytes(b"other")
        (other / "only").write_bytes(b"only")
        (other / "two").mkdir()
        (other / "two" / "t").write_bytes(b"two")
        self.served("--check-static", str(other), "--static-map2", "/two=%s" % other, "--static-map", "/s=%s" % self.root,
                    "--static-map", "/s=%s" % other, "--static-map", "/one=%s" % (self.root / "sub/b.txt"), "--static-skip-ext", ".php")
        self.rows([
            ("the first map", "/s/a.bin", 200, TEXT),
            ("the second, where the first has nothing", "/s/only", 200, b"only"),
            ("none: the app", "/s/nothing", 200, b"app GET"),
            ("a map of one file", "/one", 200, b"sub"),
            ("which is no directory", "/one/", 200, b"app GET"),
            ("which holds nothing", "/one/x", 200, b"app GET"),
            ("static-map2: the whole path", "/two/t", 200, b"two"),
            ("check-static", "/only", 200, b"only"),
            ("check-static below", "/two/nothing", 200, b"app GET"),
            ("segments are whole", "/sx/a.bin", 200, b"app GET"),
            ("several slashes", "/s//a.bin", 200, TEXT),
            ("escapes", "/s/sp%20ace%25.html", 200, b"<p>"),
            ("an escaped slash", "/s/sub%2fb.txt", 200, b"sub"),
            ("bad escapes", "/s/%zz", 200, b"app GET"),
            ("a query is no name", "/s/a.bin?x=%2e%2e", 200, TEXT),
            ("static-skip-ext", "/s/page.php", 200, b"app GET"),
            ("dot files", "/s/.env", 200, b"app GET"),
            ("dot files, escaped", "/s/%2eenv", 200, b"app GET"),
            ("dot directories", "/s/.git/config", 200, b"app GET"),
            (".well-known", "/s/.well-known/acme", 200, b"token"),
            ("no directory without static-index", "/s/site/", 200, b"app GET"),
            ("nor its bare name", "/s/site", 200, b"app GET"),
            ("no listing", "/s/", 200, b"app GET"),
            ("a file is no directory", "/s/a.bin/", 200, b"app GET"),
        ])

    def test_directories_with_an_index(self):
        self.served("--static-map", "/s=%s" % self.root, "--static-index", "index.html", "--static-index", "index.htm")
        self.rows([
            ("the index", "/s/site/", 200, b"<p>index"),
            ("the second name", "/s/site/deep/", 200, b"deep"),
            ("by its own name", "/s/site/index.html", 200, b"<p>index"),
            ("none: the app", "/s/bare/", 200, b"app GET"),
            ("nor without the slash", "/s/bare", 200, b"app GET"),
            ("the root has none", "/s/", 200, b"app GET"),
        ])
        self.assertEqual(self.get("/s/site/").headers["Content-Type"], "text/html; charset=utf-8")
        for path, location in (("/s/site", "/s/site/"), ("/s/site?a=b&c", "/s/site/?a=b&c"), ("//s/site", None), ("/s/site/deep", "/s/site/deep/")):
            with self.subTest(row="15.4.2 redirect to the slash", path=path):
                answer = self.get(path)
                if location is None:
                    self.assertEqual(answer.text, "app GET")
                else:
                    self.assertEqual((answer.status, answer.headers["Location"]), (301, location))
        self.assertEqual(self.get("/s/site", method="HEAD").status, 301)

    def test_a_redirect_never_leads_to_another_host(self):
        self.served("--check-static", str(self.root), "--static-index", "index.html")
        answer = raw(self.port, b"GET //site HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        self.assertIn(b"\r\nLocation: /site/\r\n", answer)

    def test_links(self):
        outside, safe = self.folder / "outside", self.folder / "safe"
        for folder in (outside, safe):
            folder.mkdir()
            (folder / "f").write_bytes(folder.name.encode())
        os.symlink(outside / "f", safe / "onward")
        os.symlink("sub/b.txt", self.root / "inside")
        os.symlink(outside / "f", self.root / "out")
        os.symlink(safe / "f", self.root / "in")
        os.symlink(safe, self.root / "dir")
        os.symlink("/proc/self/root%s/f" % outside, self.root / "magic")
        self.served("--static-map", "/s=%s" % self.root, "--static-safe", str(safe))
        self.rows([
            ("inside", "/s/inside", 200, b"sub"),
            ("static-safe", "/s/in", 200, b"safe"),
            ("static-safe, a directory", "/s/dir/f", 200, b"safe"),
            ("elsewhere", "/s/out", 200, b"app GET"),
            ("from a safe place onward", "/s/dir/onward", 200, b"app GET"),
            ("by /proc", "/s/magic", 200, b"app GET"),
        ])

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


class Changes(Files):
    def setUp(self):
        super().setUp()
        self.served("--static-map", "/s=%s" % self.root)

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
        eventually(lambda: self.front_fds() <= before, 20, "files are closed again")
        links = [os.readlink(p) for p in pathlib.Path("/proc/%d/fd" % self.process.process.pid).iterdir() if p.is_symlink()]
        self.assertFalse([name for name in links if name.startswith(str(self.root) + "/")])


if __name__ == "__main__":
    unittest.main(verbosity=2)
