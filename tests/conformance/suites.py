"""The four suites as scripts/conformance asks them: their cases, their servers, and how one case is asked."""

import contextlib
import shutil
import socket
import time

import gateway_suite
import gateway_wire
import http_suite
import peers
import static_site
import static_suite
import wire
import wsgi_suite
from test_wsgi_conformance import MODULES
from wsgi_case import numbered

OURS = "vassal"
OUR_SECONDS = 12  # for one case
LOG_SECONDS = 2  # until a log has what was said to it


class Suite:
    """One that is asked at one port, of HTTP."""

    keys = ("http",)  # of ports
    probe = "/probe"  # what all of them answer with 200 once they are up
    modules = ("app",)
    at_once = 8
    seconds = 5  # for one case of a peer: longer than those that ask for patience take

    def __init__(self, name, suite, servers):
        self.name, self.groups, self.cases, self.servers = name, [g for g, _ in suite.GROUPS], suite.CASES, servers

    def prepare(self, folder):
        for module in self.modules:
            shutil.copy(peers.HERE / (module + ".py"), folder)

    def waits_for(self, ports):
        return [ports[k] for k in self.keys]

    def ask(self, case, number, served):
        return self.verdict(served.ports["http"], case, served)

    def verdict(self, port, case, served, speech=wire.Http):
        ours = served.name == OURS
        return wire.verdict(port, case, None, ours, OUR_SECONDS if ours else self.seconds, None, speech)


class Wsgi(Suite):
    """In turn, since an app that hangs or ends its server is no fault of the next one. What a server must say to its log is
    asked of ours alone, by its test."""

    modules = MODULES
    probe = "/"
    at_once = 1
    seconds = 2

    def ask(self, case, number, served):
        begin = len(served.log())
        asked = numbered(case, number)
        wrong = self._leave(asked, served) if case.leaves else self.verdict(served.ports["http"], asked, served)
        deadline = time.monotonic() + LOG_SECONDS
        while not wrong and any(words not in served.log()[begin:] for words in case.says):
            if time.monotonic() > deadline:
                return "not said: %s" % ", ".join(case.says)
            time.sleep(0.02)
        return wrong

    def _leave(self, case, served):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", served.ports["http"]), self.seconds) as s:
            s.sendall(case.pieces[0])
            if s.recv(1000).startswith(b"HTTP/1.1 200 "):
                return ""
        return "no answer"


class Gateway(Suite):
    keys = ("http", *gateway_wire.SPEECHES)
    at_once = 4

    def waits_for(self, ports):
        return [ports["http"]]

    def ask(self, case, number, served):
        return self.verdict(served.ports[case.protocol], case, served, gateway_wire.SPEECHES[case.protocol])


class Static(Suite):
    keys = ("app", "plain", "bare")
    probe = "/s/probe"
    at_once = 2

    def prepare(self, folder):
        super().prepare(folder)
        static_site.make(folder)

    def ask(self, case, number, served):
        if not hasattr(served, "etag"):
            served.etag = served.get("app", "/s/a.bin").headers["ETag"] or '"none"'
        return self.verdict(served.ports[case.site], case.of(served.etag), served, static_site.Files)


SUITES = [Suite("http", http_suite, peers.HTTP), Wsgi("wsgi", wsgi_suite, peers.WSGI), Gateway("gateway", gateway_suite, peers.GATEWAY),
          Static("static", static_suite, peers.STATIC)]
