"""Options for forms, types and expiry of files, files that the app hands over, pages for errors, files without an app."""

import email
import gzip
import os
import re
import unittest

import harness
from harness import eventually, raw, request
from static_files import DATE, OLD, TEXT, Files


class Forms(Files):
    """What is said of each of their options; tests/conformance/static_answers.py has the letters."""

    def compressed(self):
        for ending in ("br", "zst", "gz"):
            self.put("j.js." + ending, ending.encode())
        self.put("j.js", b"plain")
        self.put("g.css", b"css")
        self.put("g.css.gz", gzip.compress(b"css"))

    def test_a_form_that_is_older_is_not_sent(self):
        self.compressed()
        self.served("--static-map", "/s=%s" % self.root, "--static-gzip-ext", ".js", "--static-gzip-dir", str(self.root / "sub"))
        accepts = {"Accept-Encoding": "gzip"}
        self.assertEqual(self.get("/s/j.js", accepts).text, "gz")
        self.assertEqual(self.get("/s/g.css", accepts).text, "css")  # not one of static-gzip-*
        self.put("j.js", b"newer", OLD + 1)
        self.assertEqual(self.get("/s/j.js", accepts).text, "newer")

    def test_types(self):
        types = self.folder / "types"
        types.write_text("# mine\nx-mine/odd xyz\ntext/plain png # on purpose\nbroken line\n")
        self.served("--static-map", "/s=%s" % self.root, "--mimefile", str(types))
        for path, kind in (("odd.xyz", "x-mine/odd"), ("img.png", "text/plain"), ("site/index.html", "text/html; charset=utf-8"),
                           ("big.bin", "application/octet-stream")):
            with self.subTest(path=path):
                self.assertEqual(self.get("/s/" + path).headers["Content-Type"], kind)

    def test_a_pattern_that_is_none_is_refused_with_its_place(self):
        for option, value in (("static-expires", "(a 60"), ("static-expires-uri-mtime", "[b 60"), ("static-gzip", "c{2,1}")):
            daemon = self.vassal("--http", "127.0.0.1:%d" % harness.free_port(), "--static-map", "/s=%s" % self.root, "--" + option, value)
            eventually(lambda d=daemon: not d.alive(), 10, "it ends")
            self.assertIn('%s: "%s" is not a regular expression' % (option, value.split()[0]), daemon.output())

    def test_expiry(self):
        self.served("--static-map", "/s=%s" % self.root, "--static-expires-type", "image/png=100", "--static-expires", "/sub/.* 200",
                    "--static-expires-uri", r"[?]v=\d+$ 31536000", "--static-expires-path-info", "^/s/site/ 300",
                    "--static-expires-mtime", "/bare/ 400")
        for path, seconds in (("img.png", 100), ("img.png?v=5", 100), ("sub/b.txt", 200), ("a.bin?v=5", 31536000), ("a.bin?v=x", None),
                              ("site/index.html", 300), ("s%69te/index.html", 300), ("bare/x.txt", 0), ("a.bin", None)):
            with self.subTest(path=path):
                answer = self.get("/s/" + path)
                self.assertEqual(answer.headers["Cache-Control"], None if seconds is None else "max-age=%d" % seconds)
                if seconds:
                    until = email.utils.parsedate_to_datetime(answer.headers["Expires"])
                    self.assertEqual((until - email.utils.parsedate_to_datetime(answer.headers["Date"])).total_seconds(), seconds)
        self.assertEqual(self.get("/s/bare/x.txt").headers["Expires"], "Sun, 06 Nov 1994 08:56:17 GMT")


class Handover(Files):
    """X-Sendfile and X-Accel-Redirect."""

    def setUp(self):
        super().setUp()
        self.secret = self.folder / "secret"
        self.secret.write_bytes(b"secret")
        os.symlink(self.secret, self.root / "link")

    def named(self, **fields):
        query = "&".join("%s=%s" % (k.replace("_", "-"), v) for k, v in fields.items())
        return "/?" + query

    def test_each_row(self):
        self.served("--sendfile-root", str(self.root), "--sendfile-root", "/p=%s" % (self.root / "sub"))
        r = str(self.root)
        rows = [
            ("a path", {"X_Sendfile": r + "/a.bin"}, 200, TEXT, None),
            ("in another case", {"x_sendfile": r + "/a.bin"}, 200, TEXT, None),
            ("a dot file: the app has chosen it", {"X_Sendfile": r + "/.env"}, 200, b"secret", None),
            ("a URL", {"X_Accel_Redirect": "/p/b.txt"}, 200, b"sub", None),
            ("a URL with escapes and a query", {"X_Accel_Redirect": "/p/%2562.txt%3fx"}, 200, b"sub", None),
            ("a path where a URL is asked for", {"X_Accel_Redirect": r + "/a.bin"}, 200, TEXT, None),
            ("large", {"X_Sendfile": r + "/big.bin"}, 200, self.FILES["big.bin"], None),
            ("its status stays", {"X_Sendfile": r + "/a.bin", "Status": "404%20Gone%20For%20Lunch"}, 404, TEXT, None),
            ("nothing there", {"X_Sendfile": r + "/nothing"}, 404, None, "no such file below its sendfile-root"),
            ("a directory", {"X_Sendfile": r + "/sub"}, 404, None, "no such file"),
            ("a link outwards", {"X_Sendfile": r + "/link"}, 404, None, "no such file"),
            ("outside", {"X_Sendfile": str(self.secret)}, 403, None, "below no sendfile-root"),
            ("beside", {"X_Sendfile": r + "x/a.bin"}, 403, None, "below no sendfile-root"),
            ("upwards", {"X_Sendfile": r + "/../secret"}, 403, None, "no plain absolute path"),
            ("relative", {"X_Sendfile": "a.bin"}, 403, None, "no plain absolute path"),
            ("upwards, escaped", {"X_Accel_Redirect": "/p/%252e%252e/a.bin"}, 403, None, "no plain absolute path"),
            ("another URL", {"X_Accel_Redirect": "/q/b.txt"}, 403, None, "below no sendfile-root"),
        ]
        for name, fields, status, body, log in rows:
            with self.subTest(row=name):
                answer = self.get(self.named(**fields))
                self.assertEqual(answer.status, status)
                self.assertNotIn(b"not this", answer.body)
                if body is not None:
                    self.assertEqual(answer.body, body)
                if log:
                    self.said(log)
                for field in ("X-Sendfile", "X-Accel-Redirect"):
                    self.assertIsNone(answer.headers[field])
        self.assertEqual(self.get("/").text, "app GET")

    def test_conditions_and_ranges_are_the_fronts(self):
        self.served("--sendfile-root", str(self.root))
        path = self.named(X_Sendfile=str(self.root / "a.bin"), Content_Disposition="attachment", Content_Type="x/y", Set_Cookie="a=b")
        answer = self.get(path)
        self.assertEqual((answer.headers["Content-Type"], answer.headers["Content-Disposition"], answer.headers["Set-Cookie"]),
                         ("x/y", "attachment", "a=b"))
        self.assertEqual(answer.headers["Last-Modified"], DATE)
        etag = answer.headers["ETag"]
        for fields, status, body in (({"Range": "bytes=1-2"}, 206, TEXT[1:3]), ({"Range": "bytes=5000-"}, 416, None),
                                     ({"If-None-Match": etag}, 304, b""), ({"If-Match": '"x"'}, 412, None),
                                     ({"If-Modified-Since": DATE}, 304, b""), ({"Range": "bytes=0-1", "If-Range": '"x"'}, 200, TEXT)):
            with self.subTest(fields=fields):
                answer = self.get(path, fields)
                self.assertEqual(answer.status, status)
                if body is not None:
                    self.assertEqual(answer.body, body)
        several = self.get(path, {"Range": "bytes=0-0,5-5"})
        self.assertIn("multipart/byteranges", several.headers["Content-Type"])
        self.assertEqual(several.body.count(b"Content-Type: x/y"), 2)
        own = self.named(X_Sendfile=str(self.root / "a.bin"), ETag='"mine"')
        self.assertEqual(self.get(own).headers.get_all("ETag"), ['"mine"'])
        self.assertEqual(self.get(own, {"If-None-Match": '"mine"'}).status, 304)
        head = self.get(path, method="HEAD")
        self.assertEqual((head.status, head.body, head.headers["Content-Length"]), (200, b"", "1024"))

    def test_another_method_gets_the_file_as_it_is(self):
        """The app has done what it was asked for: no 304, no 412 and no part can be said of that (9110 13.1.2, 14.2)."""
        self.served("--sendfile-root", str(self.root))
        path = self.named(X_Sendfile=str(self.root / "a.bin"))
        etag = self.get(path).headers["ETag"]
        for method in ("POST", "DELETE"):
            for fields in ({"If-None-Match": etag}, {"If-Modified-Since": DATE}, {"If-Match": '"x"'}, {"Range": "bytes=0-1"}):
                with self.subTest(method=method, fields=fields):
                    answer = self.get(path, fields, method)
                    self.assertEqual((answer.status, answer.body), (200, TEXT))

    def test_behind_nginx(self):
        port, own = harness.free_port(), harness.free_port()
        self.served("--socket", "127.0.0.1:%d" % own, "--sendfile-root", str(self.root))
        self.nginx("location / { include /etc/nginx/uwsgi_params; uwsgi_pass 127.0.0.1:%d; }" % own, port)
        answer = request(port, self.named(X_Sendfile=str(self.root / "a.bin")), headers={"Range": "bytes=0-1"})
        self.assertEqual((answer.status, answer.body), (206, TEXT[:2]))

    def test_keep_alive_goes_on_and_workers_stay(self):
        self.served("--sendfile-root", str(self.root))
        one = b"GET /?X-Sendfile=%s/%%s HTTP/1.1\r\nHost: a\r\n%%s\r\n" % str(self.root).encode()
        data = raw(self.port, one % (b"sub/b.txt", b"") + one % (b"nothing", b"") + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
                   + one % (b"big.bin", b"Connection: close\r\n"))
        self.assertEqual(re.findall(rb"HTTP/1.1 (\d+)", data), [b"200", b"404", b"200", b"200"])
        self.assertTrue(data.endswith(self.FILES["big.bin"]))
        self.assertNotIn("killed", self.process.output())

    def test_without_a_root_the_field_is_the_clients(self):
        self.served("--static-map", "/s=%s" % self.root)
        answer = self.get(self.named(X_Sendfile=str(self.secret)))
        self.assertEqual((answer.text, answer.headers["X-Sendfile"]), ("not this", str(self.secret)))


class Answers(Files):
    """add-header and error-page-*."""

    def test_added_fields_and_pages(self):
        (self.folder / "404.html").write_bytes(b"<h1>gone</h1>")
        (self.folder / "403.txt").write_bytes(b"no")
        self.served("--sendfile-root", str(self.root), "--static-map", "/s=%s" % self.root, "--add-header", "X-Frame-Options: DENY",
                    "--add-header", "X-Two: a; b", "--error-page-404", str(self.folder / "none.html"),
                    "--error-page-404", str(self.folder / "404.html"), "--error-page-403", str(self.folder / "403.txt"))
        self.said("error-page-404: %s: No such file" % (self.folder / "none.html"))
        for name, path, status, body, kind in (
                ("the app's", "/", 200, b"app GET", "text/plain"),
                ("the app's own error", "/?Status=404%20No", 404, b"app GET", "text/plain"),
                ("a file", "/s/sub/b.txt", 200, b"sub", "text/plain; charset=utf-8"),
                ("our 404", "/?X-Sendfile=%s/nothing" % self.root, 404, b"<h1>gone</h1>", "text/html; charset=utf-8"),
                ("our 403", "/?X-Sendfile=/etc/passwd", 403, b"no", "text/plain; charset=utf-8")):
            with self.subTest(row=name):
                answer = self.get(path)
                self.assertEqual((answer.status, answer.body, answer.headers["Content-Type"]), (status, body, kind))
                self.assertEqual((answer.headers["X-Frame-Options"], answer.headers["X-Two"]), ("DENY", "a; b"))
                head = self.get(path, method="HEAD")
                self.assertEqual((head.status, head.body), (status, b""))
                if name.startswith("our"):
                    self.assertEqual(head.headers["Content-Length"], str(len(body)))
        self.assertEqual(self.get("/s/sub/b.txt", {"If-None-Match": "*"}).headers["X-Two"], "a; b")

    def test_a_500_has_its_page(self):
        page = self.folder / "500.html"
        page.write_bytes(b"sorry" * 2000)
        self.served("--error-page-500", str(page), module="shapes")
        answer = self.get("/raises")
        self.assertEqual((answer.status, answer.body), (500, b"sorry" * 2000))
        page.write_bytes(b"x" * 65537)
        other = self.vassal("--http", "127.0.0.1:%d" % harness.free_port(), "--chdir", str(harness.APPS), "--module", "shapes",
                            "--error-page-500", str(page), name="large")
        eventually(lambda: "File too large" in other.output(), 10, "the page is too large")


class Bare(Files):
    """Files and no app: no Python runs."""

    def test_alone(self):
        page = self.folder / "404.html"
        page.write_bytes(b"gone")
        self.port = harness.free_port()
        self.process = self.vassal("--http", "127.0.0.1:%d" % self.port, "--static-map", "/s=%s" % self.root, "--static-index", "index.html",
                                   "--error-page-404", str(page))
        self.said("serving")
        self.assertEqual((self.get("/s/sub/b.txt").body, self.get("/s/nothing").body), (b"sub", b"gone"))
        self.assertFalse(self.process.strays())  # neither mold nor worker
        for sig in (harness.signal.SIGTTIN, harness.signal.SIGTTOU):
            self.process.process.send_signal(sig)
        self.assertEqual(self.get("/s/sub/b.txt").status, 200)

    def test_under_an_emperor_with_and_without_an_app(self):
        emperor = self.emperor()
        ini = "[vassal]\ndomain = f.test\nstatic-map = /s=%s\n" % self.root
        emperor.write("f", ini)
        emperor.wait_up("f", "/s/sub/b.txt")
        self.assertEqual(emperor.get("f", "/").status, 404)
        row = emperor.state("f")
        self.assertEqual((row["workers"], row["alive"]), (0, 0))  # none are missing
        scaled = emperor.ctl_text("scale", "f", "3")
        self.assertNotEqual(scaled.returncode, 0)
        self.assertIn("files alone are served", scaled.stdout + scaled.stderr)
        emperor.ctl("reload", "f")
        emperor.write("f", ini + "chdir = %s\nmodule = handover\n" % harness.APPS)
        emperor.wait_up("f", "/")
        self.assertEqual(emperor.state("f")["workers"], 1)
        self.assertEqual(emperor.get("f", "/s/sub/b.txt").body, b"sub")
        emperor.write("f", ini + "harakiri = 5\n")
        emperor.wait_up("f", "/", status=404)
        emperor.write("f", ini + "harakiri = 6\nprocesses = 3\n")  # changes in place
        eventually(lambda: "harakiri: 5 -> 6" in emperor.output(), 10, "the change is told")
        self.assertEqual(emperor.get("f", "/s/sub/b.txt").body, b"sub")
        row = emperor.state("f")
        self.assertEqual((row["state"], row["workers"]), ("running", 0))


if __name__ == "__main__":
    unittest.main(verbosity=2)
