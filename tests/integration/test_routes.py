"""The routing table of an ini, black box: redirects, refusals, passwords, files, fields of the answer, the log."""

import base64
import crypt
import os
import socket
import threading
import time
import unittest

import harness
from harness import eventually, raw, request


def basic(user, password):
    return {"Authorization": "Basic " + base64.b64encode(("%s:%s" % (user, password)).encode()).decode()}


class Routes(harness.Case):
    def serve(self, *rules, extra=()):
        args = []
        for rule in rules:
            option, _, value = rule.partition(" ")
            args += ["--" + option, value]
        port = harness.free_port()
        daemon = self.vassal("--http", "127.0.0.1:%d" % port, "--chdir", str(harness.APPS), "--module", "shapes", *args, *extra)
        eventually(lambda: "vassal: serving" in daemon.output(), 15, "vassal serves")
        return port, daemon

    def ask(self, path, headers=None, **kw):
        return request(self.port, path, headers=headers or {}, timeout=20, **kw)

    def test_rules_answer_before_the_app(self):
        self.port, daemon = self.serve(
            r"route ^/old/(.*)$ redirect-permanent:/new/$1?was=${HTTP_HOST}", r"route-uri \?go$ redirect:https://x.test${PATH_INFO}",
            "route-user-agent (?i)badbot break:403", "route-qs ^teapot$ break:418", "route-if equal:${REQUEST_METHOD};DELETE break:405",
            "route-if startswith:${PATH_INFO};/gone break:410", "route-if-not contains:${HTTP_HOST};local break:421")
        table = (  # path, headers, method, status, Location
            ("/old/a/b", {}, "GET", 301, "/new/a/b?was=localhost"),
            ("/old/%0d%0aX:%20y", {}, "GET", 301, "/new/%0D%0AX:%20y?was=localhost"),
            ("/plain?go", {}, "GET", 302, "https://x.test/plain"),
            ("/plain", {"User-Agent": "a BadBot/2"}, "GET", 403, None),
            ("/plain?teapot", {}, "GET", 418, None),
            ("/plain", {}, "DELETE", 405, None),
            ("/gone/x", {}, "GET", 410, None),
            ("/plain", {"Host": "other.test"}, "GET", 421, None),
            ("/plain", {}, "GET", 200, None),
            ("/old", {}, "GET", 200, None),
        )
        for path, headers, method, status, location in table:
            with self.subTest(path=path, headers=headers, method=method):
                answer = self.ask(path, headers, method=method)
                self.assertEqual((answer.status, answer.headers.get("Location")), (status, location))
        # a body that is not read ends the connection, and no byte of it is taken for a request
        self.assertEqual(self.ask("/gone/x", method="POST", body=b"GET /plain HTTP/1.1\r\n\r\n" * 3).status, 410)

    def test_fields_scheme_and_log(self):
        self.port, daemon = self.serve("route ^/dump addheader:X-Path: <${PATH_INFO}>", "route ^/pid donotlog:", "route ^/dump setscheme:https",
                                       "route ^/dump last:", "route-run addheader:X-Last: no")
        answer = self.ask("/dump")
        self.assertEqual(answer.headers.get("X-Path"), "</dump>")
        self.assertIsNone(answer.headers.get("X-Last"))
        self.assertIn("https", answer.text)
        self.assertEqual(self.ask("/plain").headers.get("X-Last"), "no")
        self.assertIsNone(self.ask("/plain").headers.get("X-Path"))
        self.assertEqual(self.ask("/pid").status, 200)
        self.assertEqual(self.ask("/plain?end").status, 200)
        eventually(lambda: "/plain?end" in daemon.output(), 5, "the line of the last one")
        self.assertIn("GET /dump", daemon.output())
        self.assertNotIn("GET /pid", daemon.output())
        # what would break a field refuses the request
        self.assertEqual(self.ask("/dump%0d%0aSet-Cookie:x").status, 400)

    def test_a_password_in_the_ini(self):
        self.port, daemon = self.serve("route ^/dump basicauth:Our Place,joe:se:cret")
        answer = self.ask("/dump")
        self.assertEqual((answer.status, answer.headers.get("WWW-Authenticate")), (401, 'Basic realm="Our Place", charset="UTF-8"'))
        for headers in (basic("joe", "wrong"), basic("jo", "se:cret"), basic("joe", ""), {"Authorization": "Basic !!!"}, {"Authorization": "Bearer x"}):
            self.assertEqual(self.ask("/dump", headers).status, 401)
        answer = self.ask("/dump", basic("joe", "se:cret"))
        self.assertEqual(answer.status, 200)
        self.assertRegex(answer.text, r"REMOTE_USER\W+joe")
        self.assertEqual(self.ask("/plain").status, 200)
        # no way round: a line break, an escape, another case of the method, a body
        for path in ("/dump%0a", "/%64ump", "/dump/x"):
            self.assertEqual(self.ask(path).status, 401, path)
        self.assertEqual(self.ask("/dump", method="POST", body=b"x" * 100000).status, 401)

    def passwords(self, **users):
        path = self.folder / "htpasswd"
        path.write_text("".join("%s:%s\n" % (u, crypt.crypt(p, crypt.mksalt(crypt.METHOD_SHA512, rounds=20000)) if p else "{SHA}x")
                                for u, p in users.items()))
        os.chmod(path, 0o644)
        return path

    def test_passwords_in_a_file_follow_it_and_wait_for_no_one_else(self):
        path = self.passwords(joe="one", ann="two", old=None)
        self.port, daemon = self.serve("route ^/(echo|dump|pid) basicauth:Place,%s" % path)
        self.assertEqual(self.ask("/pid").status, 401)
        for user, password, status in (("joe", "one", 200), ("ann", "two", 200), ("joe", "two", 401), ("eve", "one", 401), ("old", "x", 503)):
            with self.subTest(user=user):
                self.assertEqual(self.ask("/pid", basic(user, password)).status, status)
        eventually(lambda: 'the hash of "old" is of a kind that is not taken' in daemon.output(), 5, "the reason")
        # with a body, on one connection, several at once
        answer = self.ask("/echo", basic("joe", "one"), method="POST", body=b"y" * 300000)
        self.assertEqual((answer.status, answer.body), (200, b"y" * 300000))
        got = []

        def knock(n):
            got.append(self.ask("/echo", basic("eve", "bad %d" % n), method="POST", body=b"z" * 5000).status)

        knocking = [threading.Thread(target=knock, args=(n,)) for n in range(12)]
        for t in knocking:
            t.start()
        started = time.monotonic()
        self.assertEqual(self.ask("/plain").status, 200)
        self.assertLess(time.monotonic() - started, 2 * harness.PATIENCE)
        for t in knocking:
            t.join()
        self.assertEqual(got, [401] * 12)
        # the file changes: after some seconds that counts
        self.passwords(joe="three")
        eventually(lambda: self.ask("/pid", basic("joe", "one")).status == 401, 15, "the old password is of no use")
        self.assertEqual(self.ask("/pid", basic("joe", "three")).status, 200)
        path.unlink()
        eventually(lambda: self.ask("/pid", basic("joe", "three")).status == 503, 15, "without the file nobody comes in")
        eventually(lambda: "basicauth: %s: No such file" % path in daemon.output(), 5, "the reason")

    def test_old_hashes_let_in_and_are_told_about(self):
        path = self.folder / "htpasswd"
        path.write_text("des:sj.xn7.g48Jyw\nmd5:$1$fkb2x1CL$6QKbBTp7QcmUh6liMY6QQ/\nsha:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n"
                        "new:%s\n" % crypt.crypt("secret", crypt.mksalt(crypt.METHOD_SHA512, rounds=20000)))
        path.chmod(0o644)
        e = self.emperor()
        for name, logto in (("one", None), ("two", self.folder / "two.log")):
            with self.subTest(app=name):
                e.drop(name, extra="route = ^/ basicauth:Place,%s\n%s" % (path, "logto = %s\n" % logto if logto else ""))
                e.wait_up(name, status=401)
                for user, password, status in (("des", "secret", 200), ("des", "secret-and-more", 401), ("md5", "secret", 200), ("md5", "wrong", 401),
                                               ("sha", "secret", 503), ("new", "secret", 200)):
                    self.assertEqual(e.get(name, headers=basic(user, password)).status, status, user)
                status = e.ctl("status", name)["apps"][0]
                self.assertEqual(status["warnings"], 3, status)
                for user, word in (("des", "a DES hash"), ("md5", "an old kind"), ("sha", "a {SHA} hash is not taken")):
                    line = '%s.ini:5: basicauth: %s: "%s": %s' % (name, path, user, word)
                    self.assertIn(line, status["notes"])
                    # once in each log, whichever those are
                    self.assertEqual(e.output().count(line), 1)
                    if logto:
                        self.assertEqual(logto.read_text().count(line), 1)

    def test_many_who_try_passwords_hold_nobody_else_up_and_are_limited(self):
        path = self.folder / "htpasswd"
        path.write_text("joe:%s\n" % crypt.crypt("one", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=2**11)))
        os.chmod(path, 0o644)
        self.port, daemon = self.serve("route ^/pid basicauth:Place,%s" % path)
        self.assertEqual(self.ask("/pid", basic("joe", "one")).status, 200)
        socks = []
        for n in range(120):
            s = socket.create_connection(("127.0.0.1", self.port), 30)
            self.addCleanup(s.close)
            s.sendall(("GET /pid HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: %s\r\n\r\n"
                       % basic("joe", "bad %d" % n)["Authorization"]).encode())
            socks.append(s)
        # a body that goes to a disk, while all of them wait
        started = time.monotonic()
        self.assertEqual(self.ask("/count", method="POST", body=b"x" * (2 << 20)).status, 200)
        self.assertLess(time.monotonic() - started, 2 * harness.PATIENCE)
        got = [int(s.recv(65536).split(b" ")[1]) for s in socks]
        self.assertEqual(set(got), {401, 503})
        self.assertGreaterEqual(got.count(401), 64)

    def test_a_request_that_waits_for_a_hash_is_one_and_in_time(self):
        path = self.folder / "htpasswd"
        path.write_text("joe:%s\n" % crypt.crypt("one", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=2**14)))
        os.chmod(path, 0o644)
        self.port, daemon = self.serve("route ^/pid basicauth:Place,%s" % path, extra=("--header-timeout", "1", "--keepalive-requests", "2"))
        head = "GET /pid HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\n\r\n"
        with socket.create_connection(("127.0.0.1", self.port), 30 * harness.PATIENCE) as sock:
            # a hash takes more than the head's time
            sock.sendall("".join(head % basic("joe", "bad %d" % n)["Authorization"] for n in range(3)).encode())
            got = b""
            while piece := sock.recv(65536):
                got += piece
        self.assertEqual((got.count(b"HTTP/1.1 "), got.count(b"HTTP/1.1 401 ")), (2, 2), got)

    def test_who_leaves_while_a_password_is_looked_up_harms_nobody(self):
        path = self.passwords(joe="one")
        self.port, daemon = self.serve("route-run basicauth:Place,%s" % path)
        head = "GET /pid HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\n\r\n"
        for n in range(20):
            sock = socket.create_connection(("127.0.0.1", self.port), 20)
            sock.sendall((head % basic("joe", "bad %d" % n)["Authorization"]).encode())
            sock.close()
        self.assertEqual(self.ask("/pid", basic("joe", "one")).status, 200)
        # two on one connection, the second sent while the first one's password is looked up
        with socket.create_connection(("127.0.0.1", self.port), 20) as sock:
            sock.sendall((head % basic("joe", "new")["Authorization"]).encode() * 2)
            sock.shutdown(1)
            got = b""
            while piece := sock.recv(65536):
                got += piece
        self.assertEqual(got.count(b"HTTP/1.1 401"), 2, got)

    def test_the_next_password_may_let_in_and_in_the_end_somebody_must(self):
        self.port, daemon = self.serve("route ^/ basicauth-next:One,joe:a", "route ^/dump basicauth:Two,ann:b")
        for path, who, status in (("/dump", ("joe", "a"), 401), ("/dump", ("ann", "b"), 200), ("/plain", ("joe", "a"), 200),
                                  ("/plain", ("ann", "b"), 401)):
            with self.subTest(path=path, who=who):
                self.assertEqual(self.ask(path, basic(*who)).status, status)

    def test_files_below_a_folder_and_nothing_else(self):
        site = self.folder / "site"
        site.mkdir(mode=0o755)
        os.chmod(self.folder, 0o755)
        (site / "a.html").write_text("<p>a")
        (site / "sub").mkdir()
        (site / "sub" / "b.html").write_text("<p>b")
        (site / ".hidden").write_text("no")
        (self.folder / "secret").write_text("no")
        (site / "link").symlink_to(self.folder / "secret")
        self.port, daemon = self.serve(r"route ^/f/(.*) static:%s/$1" % site, r"route ^/one$ static:%s/a.html" % site,
                                       "route-run addheader:X-After: yes")
        for path, status, body in (("/f/a.html", 200, "<p>a"), ("/f/sub/b.html", 200, "<p>b"), ("/one", 200, "<p>a")):
            answer = self.ask(path)
            self.assertEqual((answer.status, answer.text, answer.headers.get("Content-Type")), (status, body, "text/html; charset=utf-8"))
            self.assertIsNone(answer.headers.get("X-After"))
        self.assertEqual(self.ask("/f/a.html", {"Range": "bytes=1-2"}).text, "p>")
        for path in ("/f/%2e%2e/secret", "/f/../secret", "/f/.hidden", "/f/link", "/f/none", "/f/sub", "/f/", "/f//etc/passwd", "/f/a.html%00"):
            with self.subTest(path=path):
                answer = self.ask(path)
                self.assertNotEqual(answer.text, "no")
                self.assertNotIn("<p>", answer.text)

    def test_what_is_no_file_there_meets_the_rules_that_follow(self):
        site = self.folder / "site"
        site.mkdir(mode=0o755)
        os.chmod(self.folder, 0o755)
        (site / "a.html").write_text("<p>a")
        hashes = self.folder / "htpasswd"
        hashes.write_text("joe:" + crypt.crypt("a", crypt.mksalt(crypt.METHOD_SHA512, rounds=20000)) + "\n")
        self.port, daemon = self.serve("route ^/([a-z/.]*)$ static:%s/$1" % site, "route ^/plain basicauth:Area,%s" % hashes,
                                       "route ^/plain addheader:X-After: yes", "route ^/(.*) static:%s/deep/$1" % site,
                                       "route ^/plain/gone break:410")
        self.assertEqual(self.ask("/a.html").text, "<p>a")
        # its name is one that nobody has asked the disk for, then one that is known not to be there
        for path, status in (("/plain/%s" % name, 200) for name in "abc"):
            for _ in range(2):
                self.assertEqual(self.ask(path).status, 401)
            for _ in range(2):
                answer = self.ask(path, basic("joe", "a"))
                self.assertEqual((answer.status, answer.headers.get("X-After")), (status, "yes"))
        for _ in range(2):
            self.assertEqual(self.ask("/plain/gone", basic("joe", "a")).status, 410)
            self.assertEqual(self.ask("/plain/../gone").status, 401)
        for more in ({"method": "POST", "body": b"x"}, {"method": "DELETE"}):
            self.assertEqual(self.ask("/plain/a", **more).status, 401)
            self.assertEqual(self.ask("/plain/a", basic("joe", "a"), **more).headers.get("X-After"), "yes")
        # others follow on the connection
        wanted = raw(self.port, b"".join(b"GET /plain/%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in range(20)) +
                     b"GET /a.html HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        self.assertEqual((wanted.count(b"HTTP/1.1 401 "), wanted.count(b"HTTP/1.1 200 "), wanted[-4:]), (20, 1, b"<p>a"))

    def test_a_rule_that_cannot_be_judged_refuses(self):
        self.port, daemon = self.serve("route ^(/|a|aa)+$ basicauth:Place,joe:a")
        self.assertEqual(self.ask("/" + "a" * 60 + "b").status, 500)
        eventually(lambda: "takes too many steps" in daemon.output(), 5, "the reason")
        self.assertEqual(self.ask("/aaa").status, 401)
        self.assertEqual(self.ask("/b").status, 200)

    def test_what_is_not_understood_is_refused_with_its_place(self):
        e = self.emperor()
        e.drop("app", extra="route = ^/x uwsgi:/run/x.sock,0,0")
        eventually(lambda: '"uwsgi" is not an action that there is here' in e.output(), 15, "the refusal")
        e.drop("app", extra="route = ^/(x last:")
        eventually(lambda: "is not a regular expression: missing closing parenthesis" in e.output(), 15, "the other refusal")
        self.assertRegex(e.output(), r"app\.ini:\d+: route: \"\^/\(x\"")
        e.drop("app", extra="route = ^/x last:")
        e.wait_up("app")


if __name__ == "__main__":
    unittest.main(verbosity=2)
