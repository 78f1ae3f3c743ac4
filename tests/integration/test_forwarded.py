"""Who asks: what proxies say of their clients, whom that is believed of, and that it survives a move."""

import http.client
import socket
import struct
import unittest

import harness
import test_protocols
from harness import Case, eventually, raw, request

SAID = {"X-Forwarded-For": "8.8.8.8, 192.0.2.7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "www.example:8443",
        "X-Forwarded-Prefix": "/x", "X-Real-IP": "192.0.2.7"}
V1 = b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n"
INET = test_protocols.V2 + b"\x21\x11" + struct.pack(
    ">H4s4sHH", 12, bytes([192, 0, 2, 7]), bytes([198, 51, 100, 1]), 4711, 443)


def dumped(text):
    return {key: value.strip("'") for key, _, value in (line.partition("=") for line in text.splitlines())}


class Believed(test_protocols.Spoken):
    def dump(self, headers):
        return dumped(request(self.http, "/dump", headers=headers).text)

    def test_a_trusted_peer_speaks_for_its_client(self):
        self.serve("--trusted-proxies", "127.0.0.1")
        got = self.dump(SAID)
        want = {"REMOTE_ADDR": "192.0.2.7", "REMOTE_PORT": "", "wsgi.url_scheme": "https", "HTTPS": "on",
                "HTTP_HOST": "www.example:8443", "SERVER_NAME": "www.example", "SERVER_PORT": "8443",
                "HTTP_X_FORWARDED_FOR": "8.8.8.8, 192.0.2.7", "HTTP_X_FORWARDED_PREFIX": "/x", "HTTP_X_REAL_IP": "192.0.2.7"}
        self.assertEqual({key: got.get(key) for key in want}, want)
        self.says('192.0.2.7 "GET /dump"')
        got = self.dump({"Forwarded": 'for="[2001:db8::7]:4711";proto=https;host=www.example'})
        self.assertEqual([got[key] for key in ("REMOTE_ADDR", "REMOTE_PORT", "wsgi.url_scheme", "SERVER_PORT", "HTTP_HOST")],
                         ["2001:db8::7", "4711", "https", "443", "www.example"])
        # both: the second is what a client has sent through a proxy that sets the first
        got = self.dump(dict(SAID, Forwarded="for=9.9.9.9"))
        self.assertEqual(got["REMOTE_ADDR"], "192.0.2.7")
        self.assertNotIn("HTTP_FORWARDED", got)

    def test_each_request_of_a_connection_has_its_own_client(self):
        self.serve("--trusted-proxies", "127.0.0.1")
        connection = http.client.HTTPConnection("127.0.0.1", self.http, timeout=10 * harness.PATIENCE)
        self.addCleanup(connection.close)
        for address in ("192.0.2.7", "192.0.2.8", None, "192.0.2.9", "nonsense"):
            connection.request("GET", "/dump", headers={"X-Forwarded-For": address} if address else {})
            got = dumped(connection.getresponse().read().decode())
            named = address and address != "nonsense"
            self.assertEqual(got["REMOTE_ADDR"], address if named else "127.0.0.1")
            self.assertEqual(got["wsgi.url_scheme"], "http")

    def test_the_header_can_be_chosen(self):
        self.serve("--trusted-proxies", "127.0.0.1", "--forwarded-header", "forwarded")
        got = self.dump(dict(SAID, Forwarded="for=192.0.2.9"))
        self.assertEqual(got["REMOTE_ADDR"], "192.0.2.9")
        self.assertEqual(got["HTTP_FORWARDED"], "for=192.0.2.9")
        self.assertFalse([key for key in got if key.startswith("HTTP_X_FORWARDED")])

    def test_of_anybody_else_it_is_dropped_and_that_is_said_once(self):
        self.serve("--trusted-proxies", "192.0.2.1")
        for _ in range(2):
            got = self.dump(dict(SAID, Forwarded="for=9.9.9.9", **{"x_forwarded_for": "1.1.1.1"}))
            self.assertEqual(got["REMOTE_ADDR"], "127.0.0.1")
            self.assertEqual(got["wsgi.url_scheme"], "http")
            self.assertFalse([key for key in got if "FORWARDED" in key or "REAL_IP" in key])
        self.says("is dropped: it is not in trusted-proxies")
        self.assertEqual(self.front.output().count("is dropped"), 1)

    def test_a_peer_on_a_unix_socket_is_believed(self):
        path = str(self.folder / "app.sock")
        self.serve("--http", path)
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(path)
            s.sendall(b"GET /dump HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.7\r\nConnection: close\r\n\r\n")
            self.assertIn(b"REMOTE_ADDR='192.0.2.7'", s.makefile("rb").read())

    def test_behind_a_proxy_header_it_is_the_named_client_that_must_be_trusted(self):
        self.serve("--trusted-proxies", "127.0.0.1 198.51.100.0/24")
        ask = b"GET /dump HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.9\r\nConnection: close\r\n\r\n"
        got = raw(self.http, b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 80\r\n" + ask)
        self.assertIn(b"REMOTE_ADDR='192.0.2.7'", got)
        self.assertNotIn(b"203.0.113.9", got)
        got = raw(self.http, b"PROXY TCP4 198.51.100.7 127.0.0.1 4711 80\r\n" + ask)
        self.assertIn(b"REMOTE_ADDR='203.0.113.9'", got)

    def test_in_variables_the_server_in_front_speaks_for_itself(self):
        """What nginx hands on of its client's fields is no word of nginx: REMOTE_ADDR is."""
        port = harness.free_port()
        self.serve("--scgi-socket", "127.0.0.1:%d" % port, "--trusted-proxies", "127.0.0.1")
        got = raw(port, test_protocols.scgi(dict(test_protocols.GET, REQUEST_URI="/dump", REMOTE_ADDR="192.0.2.9",
                                                 HTTP_X_FORWARDED_FOR="8.8.8.8")))
        self.assertIn(b"REMOTE_ADDR='192.0.2.9'", got)
        self.assertIn(b"HTTP_X_FORWARDED_FOR='8.8.8.8'", got)

    def test_by_variables_too_the_scheme_is_what_a_balancer_in_front_has_said(self):
        ports = [harness.free_port() for _ in range(3)]
        self.serve("--trusted-proxies", "127.0.0.1", *(a for kind, port in zip(("uwsgi", "scgi", "fastcgi"), ports)
                                                       for a in ("--%s-socket" % kind, "127.0.0.1:%d" % port)))
        for more, scheme in (({}, b"http"), ({"HTTP_X_FORWARDED_PROTO": "https"}, b"https"), ({"HTTP_X_FORWARDED_SSL": "on"}, b"https"),
                             ({"HTTP_X_FORWARDED_PROTO": "https, http"}, b"http"), ({"HTTP_X_FORWARDED_PROTO": "http, HTTPS "}, b"https"),
                             ({"HTTP_X_FORWARDED_PROTO": "httpsx"}, b"http")):
            wanted = dict(test_protocols.GET, REQUEST_URI="/dump", REQUEST_SCHEME="http", **more)
            for port, data in zip(ports, (test_protocols.uwsgi(wanted), test_protocols.scgi(wanted),
                                          test_protocols.fastcgi(wanted, keep=False))):
                self.assertIn(b"wsgi.url_scheme='%s'" % scheme, raw(port, data), more)

    def test_of_strangers_that_speak_in_variables_the_scheme_is_not_believed(self):
        port = harness.free_port()
        self.serve("--uwsgi-socket", "127.0.0.1:%d" % port)
        got = raw(port, test_protocols.uwsgi(dict(test_protocols.GET, REQUEST_URI="/dump", HTTP_X_FORWARDED_PROTO="https")))
        self.assertIn(b"wsgi.url_scheme='http'", got)

    def test_a_look_of_a_balancer_that_leaves_at_once_is_no_mistake(self):
        self.serve("--trusted-proxies", "127.0.0.1")
        for _ in range(5):
            s = socket.create_connection(("127.0.0.1", self.http), timeout=10)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.sendall(test_protocols.V2 + b"\x20\0\0\0")
            s.close()
        self.assertEqual(self.dump({})["REMOTE_ADDR"], "127.0.0.1")
        self.assertNotIn("PROXY", self.front.output())
        self.assertNotIn(" 400 ", self.front.output())


class ThroughTheGate(Case):
    HEAD = "GET %s HTTP/1.1\r\nHost: %s.test\r\n%s\r\n"

    def apps(self, *args, extra=""):
        e = self.emperor(*args)
        for name in ("one", "two"):
            e.drop(name, "shapes", extra)
            e.wait_up(name, "/plain")
        return e

    def ask(self, e, intro, app="one"):
        return raw(e.port, intro + (self.HEAD % ("/dump", app, "Connection: close\r\n")).encode())

    def test_the_emperors_proxies_are_every_apps(self):
        e = self.apps("--trusted-proxies", "127.0.0.1", extra="trusted-proxies = 10.0.0.0/8")
        got = dumped(e.get("one", "/dump", headers=dict(SAID, **{"X-Forwarded-For": "192.0.2.7, 10.1.1.1"})).text)
        self.assertEqual((got["REMOTE_ADDR"], got["wsgi.url_scheme"], got["HTTP_HOST"]),
                         ("192.0.2.7", "https", "www.example:8443"))

    def test_proxy_headers_are_read_of_trusted_peers(self):
        e = self.apps("--trusted-proxies", "127.0.0.1")
        for header in (V1, INET):
            got = self.ask(e, header)
            self.assertIn(b"REMOTE_ADDR='192.0.2.7'\nREMOTE_PORT='4711'\n", got)
        for header in (test_protocols.V2 + b"\x20\0\0\0", b"PROXY UNKNOWN\r\n"):
            self.assertIn(b"REMOTE_ADDR='127.0.0.1'\n", self.ask(e, header))
        for i in range(1, len(INET)):
            with socket.create_connection(("127.0.0.1", e.port), timeout=10) as s:
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                s.sendall(INET[:i])
                s.sendall(INET[i:])
                s.sendall((self.HEAD % ("/dump", "two", "Connection: close\r\n")).encode())
                self.assertIn(b"REMOTE_ADDR='192.0.2.7'", s.makefile("rb").read())
        for bad in (V1 + V1, b"PROXY TCP4 nonsense\r\n", test_protocols.V2 + b"\x31\0\0\0"):
            self.assertTrue(self.ask(e, bad).startswith(b"HTTP/1.1 400 "), bad)
        # a balancer that only looks whether somebody is there gets no answer, and keeps nobody busy
        self.assertEqual(raw(e.port, V1, shutdown=True), b"")
        self.assertIn(b"404", raw(e.port, V1 + (self.HEAD % ("/", "nobody", "Connection: close\r\n")).encode())[:20])

    def test_proxy_headers_of_others_are_refused(self):
        e = self.apps("--trusted-proxies", "192.0.2.1")
        for header in (V1, INET):
            got = self.ask(e, header)
            self.assertTrue(got.startswith(b"HTTP/1.1 400 ") and b"trusted-proxies" in got, got)

    def test_an_app_that_is_down_says_so_behind_a_proxy_header_too(self):
        e = self.emperor("--trusted-proxies", "127.0.0.1")
        port = harness.free_port()
        e.drop("bad", "nosuchmodule", "http = 127.0.0.1:%d" % port)
        e.wait_state("bad", "backoff")
        for at in (e.port, port):
            for header in (b"", V1, INET):
                got = raw(at, header + b"HEAD / HTTP/1.1\r\nHost: bad.test\r\n\r\n")
                self.assertTrue(got.startswith(b"HTTP/1.1 503 ") and got.endswith(b"\r\n\r\n"), got)

    def test_the_client_stays_the_same_wherever_its_connection_goes(self):
        """To another app, back, and to a new generation of both."""
        e = self.apps("--trusted-proxies", "127.0.0.1")
        with socket.create_connection(("127.0.0.1", e.port), timeout=10 * harness.PATIENCE) as s:
            f = s.makefile("rb")
            s.sendall(V1)

            def visit(app):
                s.sendall((self.HEAD % ("/dump", app, "")).encode())
                self.assertIn(b" 200 ", f.readline())
                got = dumped(f.read(int(http.client.parse_headers(f)["Content-Length"])).decode())
                self.assertEqual((got["REMOTE_ADDR"], got["REMOTE_PORT"], got["HTTP_HOST"]), ("192.0.2.7", "4711", app + ".test"))

            for app in ("one", "two", "two", "one"):
                visit(app)
            for app in ("one", "two"):
                pid = e.state(app)["pid"]
                e.ctl("reload", app)
                eventually(lambda a=app, p=pid: e.state(a)["pid"] != p, 15, "another generation")
                visit(app)
            visit("one")

    def test_behind_nginx(self):
        e = self.apps("--trusted-proxies", "127.0.0.1")
        port = harness.free_port()
        self.nginx("location / { proxy_pass http://127.0.0.1:%d; proxy_set_header Host $host; proxy_http_version 1.1;"
                   " proxy_set_header Connection ''; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"
                   " proxy_set_header X-Forwarded-Proto https; }" % e.port, port)
        # what a client claims stands left of what nginx has seen
        got = dumped(request(port, "/dump", host="two.test", headers={"X-Forwarded-For": "8.8.8.8, 192.0.2.7"}).text)
        self.assertEqual((got["REMOTE_ADDR"], got["wsgi.url_scheme"]), ("192.0.2.7", "https"))
        got = dumped(request(port, "/dump", host="two.test").text)
        self.assertEqual(got["REMOTE_ADDR"], "127.0.0.1")


if __name__ == "__main__":
    unittest.main(verbosity=2)
