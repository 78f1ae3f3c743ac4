"""Behind the servers that people have: nginx, Apache and HAProxy as Debian packs them, by each protocol they speak."""

import contextlib
import http.client
import socket
import threading
import unittest

import harness
from harness import Case, Daemon, eventually, request

APACHE = """
ServerRoot %(d)s
ServerName localhost
PidFile %(d)s/pid
DefaultRuntimeDir %(d)s
Mutex file:%(d)s default
ErrorLog /dev/stderr
LogLevel warn
%(user)s
LoadModule mpm_event_module %(m)s/mod_mpm_event.so
LoadModule authz_core_module %(m)s/mod_authz_core.so
LoadModule proxy_module %(m)s/mod_proxy.so
LoadModule proxy_http_module %(m)s/mod_proxy_http.so
LoadModule proxy_uwsgi_module %(m)s/mod_proxy_uwsgi.so
LoadModule proxy_fcgi_module %(m)s/mod_proxy_fcgi.so
LoadModule proxy_scgi_module %(m)s/mod_proxy_scgi.so
StartServers 1
ServerLimit 2
ThreadsPerChild 25
MaxRequestWorkers 50
Listen 127.0.0.1:%(port)d
%(site)s
"""

HAPROXY = """
global
	log stderr local0 warning
	stats socket %(d)s/admin
defaults
	mode http
	timeout connect 5s
	timeout client 30s
	timeout server 30s
%(more)s
frontend f
	bind 127.0.0.1:%(port)d
	default_backend b
backend b
%(backend)s
"""


class Behind(Case):
    def setUp(self):
        super().setUp()
        self.address = harness.free_port()
        self.port = harness.free_port()

    def app(self, option, *args):
        """An app at an address of this kind, and an HTTP one to see that it is up."""
        self.http = harness.free_port()
        daemon = self.vassal("--http", "127.0.0.1:%d" % self.http, option, "127.0.0.1:%d" % self.address, "--chdir",
                             str(harness.APPS), "--module", "shapes", "--processes", "2", *args)

        def up():
            with contextlib.suppress(OSError):
                return request(self.http, "/plain").status == 200
            self.assertTrue(daemon.alive(), daemon.output())

        eventually(up, 15)
        return daemon

    def listens(self, daemon):
        def up():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return True
            self.assertTrue(daemon.alive(), daemon.output())

        eventually(up, 10, "the front listens")

    def apache(self, site):
        folder = self.folder / "apache"
        folder.mkdir()
        conf = folder / "httpd.conf"
        conf.write_text(APACHE % {"d": folder, "m": "/usr/lib/apache2/modules", "port": self.port, "site": site,
                                  "user": "User www-data\nGroup www-data" if harness.os.getuid() == 0 else ""})
        daemon = self.daemon(Daemon(self.folder, "apache", ["/usr/sbin/apache2", "-X", "-f", conf]))
        self.listens(daemon)

    def haproxy(self, backend, more=""):
        folder = self.folder / "haproxy"
        folder.mkdir()
        conf = folder / "haproxy.cfg"
        conf.write_text(HAPROXY % {"d": folder, "port": self.port, "more": more, "backend": backend % self.address})
        daemon = self.daemon(Daemon(self.folder, "haproxy", ["/usr/sbin/haproxy", "-db", "-f", conf]))
        self.listens(daemon)

    def check(self, chunked=200, little=False):
        """chunked: what the front itself says to an upload of unknown length; little: it takes one that fits its buffer."""
        text = request(self.port, "/dump?a=b%20c", headers={"X-Foo": "bar"}).text
        for line in ("PATH_INFO='/dump'", "QUERY_STRING='a=b%20c'", "HTTP_X_FOO='bar'", "SCRIPT_NAME=''",
                     "REMOTE_ADDR='127.0.0.1'", "REQUEST_METHOD='GET'", "wsgi.url_scheme='http'"):
            self.assertIn(line, text)
        body = b"0123456789" * 30000
        self.assertEqual(request(self.port, "/echo", method="POST", body=body).body, body)
        self.assertEqual(request(self.port, "/echo", method="POST", body=b"").body, b"")
        # who refuses it closes at once, and a client that still sends may miss the answer: little is sent then
        body = body if chunked == 200 and not little else b"little"
        got = request(self.port, "/echo", method="POST", body=iter([body[:3], body[3:]]))
        self.assertEqual(got.status, chunked)
        self.assertTrue(chunked != 200 or got.body == body)
        self.assertEqual(request(self.port, "/stream").text.count("piece"), 5)
        self.assertEqual(len(request(self.port, "/big?50").body), 50 * 65536)
        self.assertEqual(request(self.port, "/raises").status, 500)
        self.assertEqual(request(self.port, "/no_content").status, 204)
        head = request(self.port, "/plain", method="HEAD")
        self.assertEqual((head.status, head.body), (200, b""))
        for _ in range(50):
            self.assertEqual(request(self.port, "/plain").text, "plain")


class Fronts(Behind):
    # nginx

    def test_nginx_uwsgi(self):
        self.app("--socket")
        self.nginx("location / { include /etc/nginx/uwsgi_params; uwsgi_pass 127.0.0.1:%d; }" % self.address, self.port)
        self.check()

    def test_nginx_scgi(self):
        self.app("--scgi-socket")
        self.nginx("location / { include /etc/nginx/scgi_params; scgi_pass 127.0.0.1:%d; }" % self.address, self.port)
        self.check()

    def fastcgi(self, more=""):
        self.nginx("location / { include /etc/nginx/fastcgi_params; fastcgi_pass 127.0.0.1:%d; %s }"
                   % (self.address, more), self.port)
        self.check()

    def test_nginx_fastcgi(self):
        self.app("--socket")
        self.fastcgi()

    def test_nginx_fastcgi_that_keeps_connections_and_buffers_nothing(self):
        self.app("--fastcgi-socket")
        self.fastcgi("fastcgi_keep_conn on; fastcgi_request_buffering off; fastcgi_buffering off;")

    # Apache

    def test_apache_http(self):
        self.app("--http")
        self.apache("ProxyPass / http://127.0.0.1:%d/" % self.address)
        self.check()

    def test_apache_uwsgi(self):
        self.app("--uwsgi-socket")
        self.apache("ProxyPass / uwsgi://127.0.0.1:%d/" % self.address)
        self.check(chunked=411)

    def test_apache_fcgi(self):
        self.app("--fastcgi-socket")
        self.apache("ProxyPass / fcgi://127.0.0.1:%d/ enablereuse=on" % self.address)
        self.check()

    def test_apache_scgi(self):
        self.app("--scgi-socket")
        self.apache("ProxyPass / scgi://127.0.0.1:%d/" % self.address)
        self.check(chunked=411)

    # HAProxy

    def test_haproxy_http(self):
        self.app("--http")
        self.haproxy("\tserver s 127.0.0.1:%d")
        self.check()

    def test_haproxy_says_by_a_proxy_header_who_its_client_is(self):
        self.app("--http", "--trusted-proxies", "127.0.0.1")
        self.haproxy("\tserver s 127.0.0.1:%d send-proxy-v2")
        self.check()

    def test_haproxy_fcgi(self):
        self.app("--fastcgi-socket")
        self.haproxy("\tuse-fcgi-app a\n\tserver s 127.0.0.1:%d proto fcgi",
                     "fcgi-app a\n\tdocroot /nowhere\n\toption keep-conn\n")
        self.check(little=True)


class Down(Behind):
    def test_an_app_that_is_down_is_503_in_every_language(self):
        """Not 502: the server in front understands what it is told."""
        e = self.emperor()
        ports = {kind: harness.free_port() for kind in ("fastcgi", "scgi", "uwsgi", "http")}
        lines = "".join("%s = 127.0.0.1:%d\n" % (kind if kind == "http" else kind + "-socket", port)
                        for kind, port in ports.items())
        any_port = harness.free_port()
        e.drop("bad", "nosuchmodule", lines + "socket = 127.0.0.1:%d" % any_port)
        e.wait_state("bad", "backoff")
        locations = ""
        for kind, port in ports.items():
            verb = "proxy" if kind == "http" else kind
            params = "" if kind == "http" else "include /etc/nginx/%s_params;" % kind
            target = "http://127.0.0.1:%d" if kind == "http" else "127.0.0.1:%d"
            for name, at in ((kind, port), ("any/" + kind, any_port)):
                locations += "location /%s { %s %s_pass %s; } " % (name, params, verb, target % at)
        nginx = self.nginx(locations, self.port)
        for kind in ports:
            for path in ("/" + kind, "/any/" + kind):
                for method in ("GET", "POST"):
                    got = request(self.port, path, method=method, body=b"x" * 100 if method == "POST" else None)
                    self.assertEqual((path, got.status), (path, 503), nginx.output())
                    self.assertIn("this site cannot answer just now", got.text)
                    self.assertTrue(got.headers["Retry-After"])


class Reloaded(Behind):
    """New code under load: no front tells its clients of it."""

    def under_load(self, extra, *args):
        self.extra = "\nprocesses = 2\n" + extra
        e = self.emperor(*args)
        e.drop("a", "named", "env = NAME=one" + self.extra)
        e.wait_up("a")
        return e

    def check_reloads(self, e):
        stop, bad, counts = threading.Event(), [], [0] * 4

        def ask(i):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20 * harness.PATIENCE)
            while not stop.is_set():
                try:
                    connection.request("GET", "/", headers={"Host": "a.test"})
                    answer = connection.getresponse()
                    answer.read()
                    if answer.status != 200:
                        bad.append(answer.status)
                except (OSError, http.client.HTTPException) as error:
                    bad.append(repr(error))
                    connection.close()
                counts[i] += 1
            connection.close()

        threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(counts))]
        for t in threads:
            t.start()
        try:
            for name in ("two", "three"):
                before = list(counts)
                e.drop("a", "named", "env = NAME=" + name + self.extra)
                eventually(lambda n=name: e.get("a").text == n, 20, "the new one serves")
                eventually(lambda b=before: all(c > x + 20 for c, x in zip(counts, b)), 20, "all have asked")
                eventually(lambda n=name: request(self.port, "/", host="a.test").text == n, 10)
        finally:
            stop.set()
            for t in threads:
                t.join()
        self.assertEqual(bad, [])

    def test_behind_nginx_with_kept_fastcgi_connections(self):
        e = self.under_load("fastcgi-socket = 127.0.0.1:%d" % self.address)
        self.nginx("location / { include /etc/nginx/fastcgi_params; fastcgi_pass up; fastcgi_keep_conn on; } }\n"
                   "upstream up { server 127.0.0.1:%d; keepalive 8;" % self.address, self.port)
        self.check_reloads(e)

    def test_behind_haproxy_with_proxy_headers(self):
        e = self.under_load("trusted-proxies = 127.0.0.1\nhttp = 127.0.0.1:%d" % self.address)
        self.haproxy("\tserver s 127.0.0.1:%d send-proxy-v2")
        self.check_reloads(e)

    def test_behind_haproxy_with_proxy_headers_at_the_shared_port(self):
        e = self.under_load("", "--trusted-proxies", "127.0.0.1")
        self.address = e.port
        self.haproxy("\tserver s 127.0.0.1:%d send-proxy-v2")
        self.check_reloads(e)


if __name__ == "__main__":
    unittest.main(verbosity=2)
