"""What an attacker tries: another spelling of a guarded path, a body that is a request, a client that never reads."""

import base64
import os
import socket
import unittest

import harness
from harness import Case, eventually, raw, request
from test_protocols import uwsgi


def basic(user, password):
    return "Basic " + base64.b64encode(("%s:%s" % (user, password)).encode()).decode()


class Vassal(Case):
    def serve(self, *args, module="shapes"):
        self.port = harness.free_port()
        daemon = self.vassal("--http", "127.0.0.1:%d" % self.port, "--chdir", str(harness.APPS), "--module", module, *args)
        eventually(lambda: "vassal: serving" in daemon.output(), 15, "vassal serves")
        return daemon


class Spellings(Vassal):
    """A rule guards what is behind it, however its path is written."""

    def ask(self, target, host="a.test", method="GET"):
        data = raw(self.port, ("%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % (method, target, host)).encode())
        head, _, body = data.partition(b"\r\n\r\n")
        location = [line.split(b": ", 1)[1].decode() for line in head.split(b"\r\n") if line.lower().startswith(b"location:")]
        return int(data[9:12]), location[0] if location else None, body

    def test_a_guarded_file_has_one_door(self):
        site = self.folder / "site"
        (site / "admin").mkdir(parents=True)
        (site / "admin" / "secret.txt").write_text("SECRET")
        os.chmod(self.folder, 0o755)
        self.serve("--check-static", str(site), "--route", "^/admin/secret basicauth:Place,joe:one")
        for target in ("/admin/secret.txt", "//admin/secret.txt", "///admin//secret.txt", "/admin//secret.txt", "/%61dmin/secret.txt",
                       "/admin%2fsecret.txt", "/%2fadmin/secret.txt", "http://a.test/admin/secret.txt", "http://a.test//admin/secret.txt"):
            with self.subTest(target=target):
                status, _, body = self.ask(target)
                self.assertEqual(status, 401)
                self.assertNotIn(b"SECRET", body)
        for target in ("/./admin/secret.txt", "/x/../admin/secret.txt", "/%2e/admin/secret.txt", "/ADMIN/secret.txt"):
            with self.subTest(target=target):
                self.assertNotIn(b"SECRET", self.ask(target)[2])

    def test_a_path_is_decoded_once(self):
        """A proxy that sends no REQUEST_URI has decoded the path: what then looks encoded is so by name."""
        site = self.folder / "site"
        (site / "admin").mkdir(parents=True)
        (site / "admin" / "secret.txt").write_text("SECRET")
        (site / "admin" / "index.html").write_text("SECRET")
        (site / "open.txt").write_text("open")
        os.chmod(self.folder, 0o755)
        port = harness.free_port()
        self.serve("--uwsgi-socket", "127.0.0.1:%d" % port, "--check-static", str(site), "--static-index", "index.html", "--route", "^/admin break:403")

        def ask(path, query=""):
            return raw(port, uwsgi({"REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": query}))

        self.assertTrue(ask("/open.txt").endswith(b"\r\n\r\nopen"))
        for path in ("/%61dmin/secret.txt", "/%2561dmin/secret.txt", "/admin/secret.txt", "/%61dmin"):
            self.assertNotIn(b"SECRET", ask(path))
            self.assertNotIn(b"HTTP/1.1 301", ask(path))
        (site / "dir").mkdir()
        (site / "dir" / "index.html").write_text("x")
        self.assertIn(b"\r\nLocation: /dir/?a\r\n", ask("/dir", "a"))
        self.assertNotIn(b"\r\nX: y", ask("/dir", "a\r\nX: y"))

    def test_a_redirect_leads_to_the_place_that_its_rule_names(self):
        self.serve("--route", "^/old/(.*)$ redirect:/$1", "--route", "^/same redirect:${PATH_INFO}",
                   "--route-uri", "^/raw redirect:https://${HTTP_HOST}${REQUEST_URI}", "--route-uri", "^//both redirect:${REQUEST_URI}")
        for target, location in (("/old/x", "/x"), ("/old//evil.test/", "/evil.test/"), ("/old/%2f%2fevil.test", "/evil.test"),
                                 ("//same//x", "/same/x"), ("/raw?a", "https://a.test/raw?a"), ("http://a.test/raw?a", "https://a.test/raw?a"),
                                 ("//both/x", "/both/x")):
            with self.subTest(target=target):
                self.assertEqual(self.ask(target)[:2], (302, location))

    def test_a_guarded_host_has_one_name(self):
        self.serve("--route-host", r"^admin\.test$ break:403")
        for host in ("admin.test", "ADMIN.test", "admin.test.", "admin.test:80", "Admin.Test.:%d" % self.port):
            with self.subTest(host=host):
                self.assertEqual(self.ask("/plain", host)[0], 403)
        self.assertEqual(self.ask("http://Admin.test:/plain", "other.test")[0], 403)
        self.assertEqual(self.ask("/plain", "other.test")[0], 200)

    def test_a_guarded_root_has_no_empty_name(self):
        self.serve("--route", "^/ break:403")
        self.assertEqual(self.ask("*", method="OPTIONS")[0], 403)


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


class Uploads(Vassal):
    """An answer that comes before the body is read still comes: the client is sending, and looks at it only then."""

    def test_large_bodies_that_are_refused(self):
        self.serve("--limit-post", "100000", "--route", "^/guarded basicauth:Place,joe:one", "--route", "^/old redirect:/new")
        for size in (300000, 20000000):
            for head, status in ((b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d" % size, b"413"),
                                 (b"POST /guarded HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked", b"401"),
                                 (b"POST /old HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked", b"302"),
                                 (b"POST /bad path HTTP/1.1\r\nHost: a\r\nContent-Length: %d" % size, b"400")):
                with self.subTest(size=size, status=status), socket.create_connection(("127.0.0.1", self.port), 20) as s:
                    body = b"x" * size if b"Length" in head else b"%x\r\n%s\r\n0\r\n\r\n" % (size, b"x" * size)
                    s.sendall(head + b"\r\n\r\n" + body)
                    self.assertEqual(s.recv(65536)[9:12], status)

    def test_through_nginx(self):
        self.serve("--limit-post", "100000")
        port = harness.free_port()
        self.nginx("location / { proxy_pass http://127.0.0.1:%d; }" % self.port, port)
        for size in (300000, 900000, 5000000):
            self.assertEqual([request(port, "/echo", method="POST", body=b"x" * size).status for _ in range(5)], [413] * 5)


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
