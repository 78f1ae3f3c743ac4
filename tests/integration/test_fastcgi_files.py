"""FastCGI without an app: files, ranges, passwords and redirects in records, one after another on one connection."""

import base64
import crypt
import re
import unittest

import harness
import test_protocols
from harness import eventually, raw, request
from test_protocols import GET, fastcgi, post


class Files(test_protocols.Spoken):
    """What the front answers without an app, in records."""

    def setUp(self):
        super().setUp()
        self.port = harness.free_port()
        self.root = self.folder / "www"
        (self.root / "dir").mkdir(parents=True)
        self.big = bytes(range(256)) * 5000
        (self.root / "small.txt").write_bytes(b"small")
        (self.root / "big.bin").write_bytes(self.big)
        (self.root / "dir" / "index.html").write_bytes(b"index")
        (self.folder / "htpasswd").write_text("ada:" + crypt.crypt("secret", crypt.mksalt(crypt.METHOD_SHA512, rounds=20000)) + "\n")

    def ask(self, r, path, method="GET", **more):
        r.send(fastcgi(dict(GET, REQUEST_METHOD=method, REQUEST_URI=path, **more)))
        out, status = r.answer()
        self.assertEqual(status, 0)
        head, _, body = out.partition(b"\r\n\r\n")
        return int(head.split(b"\r\n")[0].split()[1]), head + b"\r\n", body

    def test_files_go_in_records_many_on_one_connection(self):
        self.serve("--fastcgi-socket", "127.0.0.1:%d" % self.port, "--static-map", "/s=%s" % self.root,
                   "--static-index", "index.html", "--static-skip-ext", ".none")
        r = self.records(self.port)
        for _ in range(3):
            status, head, body = self.ask(r, "/s/small.txt", HTTP_COOKIE="only=this")
            self.assertEqual((status, body), (200, b"small"))
            self.assertIn(b"Content-Length: 5\r\n", head)
            self.assertEqual(self.ask(r, "/s/big.bin")[2], self.big)
            status, head, body = self.ask(r, "/s/big.bin", "HEAD")
            self.assertEqual((status, body), (200, b""))
            self.assertIn(b"Content-Length: 1280000\r\n", head)
            self.assertEqual(self.ask(r, "/s/big.bin", HTTP_RANGE="bytes=100000-899999")[::2], (206, self.big[100000:900000]))
            status, head, body = self.ask(r, "/s/big.bin", HTTP_RANGE="bytes=0-9,200000-399999")
            self.assertEqual((status, len(body)), (206, int(re.search(rb"Content-Length: (\d+)", head).group(1))))
            self.assertIn(self.big[200000:400000], body)
            self.assertTrue(body.endswith(b"--\r\n"))
            self.assertEqual(self.ask(r, "/s/dir/")[::2], (200, b"index"))
            self.assertEqual(self.ask(r, "/s/dir")[0], 301)
            self.assertEqual(self.ask(r, "/s/big.bin", HTTP_RANGE="bytes=9999999-")[0], 416)
            # what is no file is the app's, and has nothing of the requests before it
            status, _, body = self.ask(r, "/dump")
            self.assertEqual(status, 200)
            self.assertNotIn(b"only=this", body)
            self.assertNotEqual(self.ask(r, "/s/nothing")[2], b"")
            r.send(fastcgi(post(5), b"body!"))
            self.assertTrue(r.answer()[0].endswith(b"body!"))

    def test_without_an_app_the_connection_is_kept_too(self):
        daemon = self.vassal("--fastcgi-socket", "127.0.0.1:%d" % self.port, "--static-map", "/s=%s" % self.root)
        eventually(lambda: "vassal: serving" in daemon.output(), 15, "vassal serves")
        r = self.records(self.port)
        for path, status in (("/s/small.txt", 200), ("/s/nothing", 404), ("/", 404), ("/s/small.txt", 200)):
            self.assertEqual(self.ask(r, path)[0], status)
        self.assertEqual(self.ask(r, "/s/small.txt", "DELETE")[0], 405)
        self.assertEqual(self.ask(r, "/s/small.txt")[2], b"small")

    def test_requests_that_come_while_a_file_is_sent_wait(self):
        self.serve("--fastcgi-socket", "127.0.0.1:%d" % self.port, "--static-map", "/s=%s" % self.root)
        r = self.records(self.port)
        one = fastcgi(dict(GET, REQUEST_URI="/s/big.bin"))
        data = one + fastcgi(dict(GET, REQUEST_URI="/s/small.txt")) + one + fastcgi(dict(GET, REQUEST_URI="/plain"))
        for at in range(0, len(data), 37):
            r.send(data[at:at + 37])
        for want in (self.big, b"small", self.big, b"plain"):
            out, status = r.answer()
            self.assertEqual((out.partition(b"\r\n\r\n")[2] == want, status), (True, 0))

    def test_passwords_are_looked_up(self):
        self.serve("--fastcgi-socket", "127.0.0.1:%d" % self.port, "--static-map", "/s=%s" % self.root,
                   "--route", "^/(s|echo|dump) basicauth:Realm,%s" % (self.folder / "htpasswd"), "--route", "^/away redirect:/plain")
        r = self.records(self.port)
        good = "Basic " + base64.b64encode(b"ada:secret").decode()
        bad = "Basic " + base64.b64encode(b"ada:wrong").decode()
        for _ in range(2):
            status, head, _ = self.ask(r, "/s/small.txt")
            self.assertEqual(status, 401)
            self.assertIn(b"WWW-Authenticate: Basic", head)
            self.assertEqual(self.ask(r, "/s/small.txt", HTTP_AUTHORIZATION=bad)[0], 401)
            self.assertEqual(self.ask(r, "/s/small.txt", HTTP_AUTHORIZATION=good)[::2], (200, b"small"))
            status, _, body = self.ask(r, "/dump", HTTP_AUTHORIZATION=good)
            self.assertIn(b"REMOTE_USER='ada'", body)
            self.assertEqual(self.ask(r, "/away")[0], 302)
        body = b"0123456789" * 30000
        r = self.records(self.port)
        for _ in range(2):
            r.send(fastcgi(post(len(body), HTTP_AUTHORIZATION=good), body))
            self.assertTrue(r.answer()[0].endswith(body))
            r.send(fastcgi(post(len(body), HTTP_AUTHORIZATION=bad), body))
            self.assertTrue(r.answer()[0].startswith(b"Status: 401 "))

    def test_what_a_rule_does_not_find_meets_the_rules_that_follow(self):
        ports = {name: harness.free_port() for name in ("scgi", "uwsgi")}
        self.serve("--fastcgi-socket", "127.0.0.1:%d" % self.port, *("--%s-socket=127.0.0.1:%d" % p for p in ports.items()),
                   "--route", "^/(.*) static:%s/$1" % self.root, "--route", "^/dump basicauth:Realm,%s" % (self.folder / "htpasswd"),
                   "--route", "^/dump addheader:X-After: yes")
        good = {"HTTP_AUTHORIZATION": "Basic " + base64.b64encode(b"ada:secret").decode()}
        r = self.records(self.port)
        for n in range(4):
            for _ in range(2):  # nobody has asked the disk for that name, then it is known not to be there
                status, head, body = self.ask(r, "/dump/%d" % n, **good)
                self.assertEqual(status, 200)
                self.assertIn(b"X-After: yes", head)
                self.assertEqual(self.ask(r, "/dump/no%d" % n)[0], 401)
            self.assertEqual(self.ask(r, "/small.txt")[2], b"small")
            for speaks, port in ((test_protocols.scgi, ports["scgi"]), (test_protocols.uwsgi, ports["uwsgi"])):
                for _ in range(2):
                    path = "/dump/%s%d" % (speaks.__name__, n)
                    self.assertIn(b"X-After: yes", raw(port, speaks(dict(GET, REQUEST_URI=path, **good))))
                    self.assertIn(b" 401 ", raw(port, speaks(dict(GET, REQUEST_URI=path + "no"))))

    def test_files_that_the_app_names(self):
        scgi = harness.free_port()
        self.serve("--fastcgi-socket", "127.0.0.1:%d" % self.port, "--scgi-socket", "127.0.0.1:%d" % scgi, "--sendfile-root",
                   str(self.root), module="handover")
        r = self.records(self.port)
        for _ in range(2):
            for name, body in (("small.txt", b"small"), ("big.bin", self.big)):
                query = "X-Sendfile=%s/%s" % (self.root, name)
                status, head, got = self.ask(r, "/?" + query, QUERY_STRING=query)
                self.assertEqual((status, got == body), (200, True))
                self.assertNotIn(b"X-Sendfile", head)
                got = raw(scgi, test_protocols.scgi(dict(GET, REQUEST_URI="/?" + query, QUERY_STRING=query)))
                self.assertTrue(got.endswith(b"\r\n\r\n" + body))
                self.assertEqual(self.ask(r, "/?" + query, QUERY_STRING=query, HTTP_RANGE="bytes=1-2")[::2], (206, body[1:3]))
            query = "X-Sendfile=%s/nothing" % self.root
            self.assertEqual(self.ask(r, "/?" + query, QUERY_STRING=query)[0], 404)
            self.assertEqual(self.ask(r, "/")[2], b"app GET")

    def test_behind_nginx(self):
        self.serve("--fastcgi-socket", "127.0.0.1:%d" % self.port, "--static-map", "/s=%s" % self.root)
        port = harness.free_port()
        self.nginx("location / { include /etc/nginx/fastcgi_params; fastcgi_pass up; fastcgi_keep_conn on; } }\n"
                   "upstream up { server 127.0.0.1:%d; keepalive 2;" % self.port, port)
        for _ in range(5):
            self.assertEqual(request(port, "/s/big.bin").body, self.big)
            self.assertEqual(request(port, "/s/small.txt").body, b"small")
            self.assertEqual(request(port, "/plain").text, "plain")


if __name__ == "__main__":
    unittest.main(verbosity=2)
