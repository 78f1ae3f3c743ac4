"""Behind a real nginx with Debian's stock parameters."""

import unittest

import harness
from harness import Case, eventually, raw, request
from test_http import serve

STOCK = "location / { include /etc/nginx/uwsgi_params; uwsgi_pass %s; uwsgi_read_timeout 30; }"


class Behind(Case):
    def behind(self, address, location=STOCK, *args):
        own = harness.free_port()
        daemon = self.vassal("--http", "127.0.0.1:%d" % own, "--socket", address, "--chdir", str(harness.APPS),
                             "--module", "shapes", "--processes", "2", *args)

        def up():
            try:
                return request(own, "/plain").status == 200
            except OSError:
                self.assertTrue(daemon.alive(), daemon.output())

        eventually(up, 15)
        port = harness.free_port()
        self.nginx(location % (address if ":" in address else "unix:" + address), port)
        return port

    def check(self, port):
        text = request(port, "/dump?a=b%20c", headers={"X-Foo": "bar"}).text
        for line in ("PATH_INFO='/dump'", "QUERY_STRING='a=b%20c'", "HTTP_X_FOO='bar'", "SCRIPT_NAME=''",
                     "REMOTE_ADDR='127.0.0.1'", "REQUEST_METHOD='GET'", "wsgi.url_scheme='http'"):
            self.assertIn(line, text)
        again = raw(port, b"GET /dump HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Foo: 1\r\nCookie: a=1\r\nX-Foo: 2\r\nCookie: b=2\r\n\r\n")
        self.assertIn(b"HTTP_X_FOO='1, 2'", again)
        self.assertIn(b"HTTP_COOKIE='a=1; b=2'", again)
        body = b"0123456789" * 30000
        self.assertEqual(request(port, "/echo", method="POST", body=body).body, body)
        self.assertEqual(request(port, "/echo", method="POST", body=b"").body, b"")
        self.assertEqual(request(port, "/stream").text.count("piece"), 5)
        self.assertEqual(len(request(port, "/big?50").body), 50 * 65536)
        self.assertEqual(request(port, "/raises").status, 500)
        self.assertEqual(request(port, "/plain", method="HEAD").status, 200)
        for _ in range(50):
            self.assertEqual(request(port, "/plain").text, "plain")

    def test_uwsgi_pass_over_tcp(self):
        self.check(self.behind("127.0.0.1:%d" % harness.free_port()))

    def test_uwsgi_pass_over_unix(self):
        self.check(self.behind(str(self.folder / "app.sock")))

    def test_proxy_pass_with_and_without_keep_alive(self):
        for extra in ("", 'proxy_http_version 1.1; proxy_set_header Connection "";'):
            own = harness.free_port()
            daemon = self.vassal("--http", "127.0.0.1:%d" % own, "--chdir", str(harness.APPS), "--module", "shapes",
                                 name="v%d" % own)
            eventually(lambda: self._answers(own, daemon), 15)
            port = harness.free_port()
            nginx = self.nginx("location / { proxy_pass http://127.0.0.1:%d; %s }" % (own, extra), port)
            self.check(port)
            nginx.stop()
            import shutil

            shutil.rmtree(self.folder / "nginx")

    def _answers(self, port, daemon):
        try:
            return request(port, "/plain").status == 200
        except OSError:
            self.assertTrue(daemon.alive(), daemon.output())


class ThroughTheGate(Case):
    def test_several_apps_behind_one_proxy_connection(self):
        e = self.emperor("--trusted-proxies", "127.0.0.1")
        for name in ("one", "two"):
            e.drop(name, "named", "env = NAME=" + name)
            e.wait_up(name)
        port = harness.free_port()
        self.nginx('location / { proxy_pass http://127.0.0.1:%d; proxy_http_version 1.1; proxy_set_header Connection "";'
                   " proxy_set_header Host $host; }" % e.port, port)
        for _ in range(10):
            for name in ("one", "two"):
                self.assertEqual(request(port, "/", host=name + ".test").text, name)

    def test_two_emperors_behind_one_upstream(self):
        """By ip_hash a client stays with one of them; when that one ends, the other answers."""
        emperors = []
        for number in range(2):
            folder = self.folder / str(number)
            folder.mkdir()
            e = self.daemon(harness.Emperor(folder, ["--trusted-proxies", "127.0.0.1"]))
            emperors.append(e)
            for name in ("one", "two"):
                e.drop(name, "named", "env = NAME=%s of %d" % (name, number))
                e.wait_up(name)
        port = harness.free_port()
        self.nginx("location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection '';"
                   " proxy_set_header Host $host; proxy_next_upstream error timeout http_503; } }\n"
                   "upstream up { ip_hash; server 127.0.0.1:%d; server 127.0.0.1:%d; keepalive 4;"
                   % tuple(e.port for e in emperors), port)
        got = {request(port, "/", host=name + ".test").text for name in ("one", "two") * 10}
        self.assertEqual(len(got), 2, got)
        chosen = int(got.pop()[-1])
        emperors[chosen].stop()
        for name in ("one", "two") * 10:
            self.assertEqual(request(port, "/", host=name + ".test").text, "%s of %d" % (name, 1 - chosen))


if __name__ == "__main__":
    unittest.main(verbosity=2)
