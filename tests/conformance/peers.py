"""How ours and its peers are started for each suite: what is spoken at which port, beside which files."""

import os
import pathlib

import static_site
import test_conformance
import test_gateway_conformance

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("EMPEROR_BUILD", HERE.parents[1] / "build" / "dev"))
PYTHON = "/usr/bin/python3"
MODULES = pathlib.Path("/usr/lib/apache2/modules")
PACKAGES = pathlib.Path("/usr/lib/python3/dist-packages")
VASSAL, UWSGI, NGINX = BUILD / "bin" / "vassal", "/usr/bin/uwsgi-core", "/usr/sbin/nginx"


def at(port):
    return "127.0.0.1:%d" % port


def ours(options):
    return ["--%s=%s" % item for item in options]


def vassal(folder, port, module, threads):
    options = test_conformance.OPTIONS if module == "app" else {"processes": "2"}
    return [VASSAL, "--http", at(port), "--chdir", folder, "--module", module, *ours(options.items())]


def uwsgi(folder, *more, module="app", processes=2):
    return [UWSGI, "--plugin", "python3,http,ping", "--chdir", folder, "--module", module, "--master", "--processes", processes, *more]


def uwsgi_socket(folder, port, module, threads):
    return uwsgi(folder, "--http-socket", at(port), module=module)


def uwsgi_router(folder, port, module, threads):
    return uwsgi(folder, "--http", at(port), "--http-keepalive", module=module)


def gunicorn(folder, port, module, threads):
    return [PYTHON, "/usr/bin/gunicorn", "--bind", at(port), "--chdir", folder, "--workers", "2", "--threads", threads, module]


def waitress(folder, port, module, threads):
    return [PYTHON, "-c", "import importlib, sys; sys.path.insert(0, sys.argv[2]); import waitress; "
            "waitress.serve(importlib.import_module(sys.argv[3]).application, listen='127.0.0.1:' + sys.argv[1], threads=int(sys.argv[4]))",
            port, folder, module, threads]


def cheroot(folder, port, module, threads):
    return [PYTHON, "-c", "import importlib, sys; sys.path.insert(0, sys.argv[2]); app = importlib.import_module(sys.argv[3])\n"
            "from cheroot import wsgi\n"
            "wsgi.Server(('127.0.0.1', int(sys.argv[1])), app.application, numthreads=int(sys.argv[4])).start()",
            port, folder, module, threads]


def mod_wsgi(folder, port, module, threads):
    conf = folder / "apache.conf"
    conf.write_text("\n".join([
        "ServerRoot %s" % folder, "ServerName localhost", "Listen 127.0.0.1:%d" % port, "PidFile %s/pid" % folder,
        "ErrorLog %s/error.log" % folder, "User www-data", "Group www-data", "DocumentRoot %s" % folder,
        *["LoadModule %s_module %s/mod_%s.so" % (m, MODULES, m) for m in ("mpm_event", "authz_core", "wsgi")],
        "WSGIDaemonProcess app python-path=%s processes=2 threads=%d" % (folder, threads), "WSGIProcessGroup app",
        "WSGIApplicationGroup %{GLOBAL}", "WSGIChunkedRequest On", "WSGIScriptAlias / %s/%s.py" % (folder, module),
        "WSGISocketPrefix %s/wsgi" % folder, "<Location />", "Require all granted", "</Location>", ""]))
    return ["/usr/sbin/apache2", "-f", conf, "-DFOREGROUND"]


def gateway_vassal(folder, ports):
    sockets = [("%s-socket" % p if p != "http" else p, at(port)) for p, port in ports.items()]
    yield [VASSAL, "--chdir", folder, "--module", "app", *ours([*sockets, *test_gateway_conformance.OPTIONS.items()])]


def gateway_uwsgi(folder, ports):
    """A client that stops in the middle holds one of its processes: enough of them for all that are asked at once."""
    limits = ["--buffer-size", "16384", "--limit-post", "300000", "--socket-timeout", "2"]
    yield uwsgi(folder, *limits, *[a for p, port in ports.items() for a in ("--%s-socket" % p, at(port))], processes=8)


def static_vassal(folder, ports):
    for site, port in ports.items():
        app = [] if site == "bare" else ["--chdir", folder, "--module", "app", "--processes", "2"]
        yield [VASSAL, "--http", at(port), *ours(static_site.options(site, folder)), *app]


def static_uwsgi(folder, ports):
    for site, port in ports.items():
        options = [a for name, value in static_site.options(site, folder) for a in ("--" + name, value) if a != "true"]
        app = [] if site == "bare" else ["--chdir", folder, "--module", "app"]
        yield [UWSGI, "--plugin", "python3", "--http-socket", at(port), "--master", "--processes", "2", *options, *app]


def static_nginx(folder, ports):
    """The same places in its own words; it has no app, so what is no file is 404."""
    root = "location /s/ { alias %s/files/; index %%s; expires $kept; gzip_static on; }" % folder
    more = {"app": root % "index.html index.htm" + " location = /one { alias %s/files/sub/b.txt; } location /two/ { root %s/other; }"
            "location ~ \\.php$ { return 404; }" % (folder, folder),
            "plain": root % ".none", "bare": root % "index.html index.htm"}
    conf = folder / "nginx.conf"
    conf.write_text(
        "daemon off; master_process off; pid %(d)s/pid; error_log stderr warn; events { worker_connections 256; }\n"
        "http { access_log off; client_body_temp_path %(d)s/b; proxy_temp_path %(d)s/p; fastcgi_temp_path %(d)s/c;\n"
        "uwsgi_temp_path %(d)s/u; scgi_temp_path %(d)s/g; include /etc/nginx/mime.types; default_type application/octet-stream;\n"
        "map $uri?$args $kept { default off; ~\\.png\\? 100s; ~\\?v=[0-9]+$ 365d; }\n%(s)s }\n" % {
            "d": folder, "s": "".join("server { listen 127.0.0.1:%d; root %s/none; %s }\n" % (ports[s], folder, more[s]) for s in ports)})
    yield [NGINX, "-p", folder, "-c", conf]


def _alone(start, module, threads):
    def commands(folder, ports):
        yield start(folder, ports["http"], module, threads)

    return commands


_SERVERS = {  # name -> (how it is started, what must be there)
    "vassal": (vassal, VASSAL),
    "uwsgi": (uwsgi_socket, UWSGI),
    "uwsgi-http": (uwsgi_router, UWSGI),
    "gunicorn": (gunicorn, "/usr/bin/gunicorn"),
    "waitress": (waitress, PACKAGES / "waitress"),
    "cheroot": (cheroot, PACKAGES / "cheroot"),
    "mod_wsgi": (mod_wsgi, MODULES / "mod_wsgi.so"),
}
HTTP = {name: (_alone(start, "app", 16), needs) for name, (start, needs) in _SERVERS.items()}
WSGI = {name: (_alone(start, "wsgi_app", 1), needs) for name, (start, needs) in _SERVERS.items() if start is not uwsgi_router}
GATEWAY = {"vassal": (gateway_vassal, VASSAL), "uwsgi": (gateway_uwsgi, UWSGI)}
STATIC = {"vassal": (static_vassal, VASSAL), "uwsgi": (static_uwsgi, UWSGI), "nginx": (static_nginx, NGINX)}
EVERYBODY = [*_SERVERS, "nginx"]
