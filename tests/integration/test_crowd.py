"""More clients than a front may have connections: those that ask nothing make room, those that are served stay."""

import re
import socket
import time
import unittest

import harness
from harness import Case, eventually, request

KEEP = b"GET /pid HTTP/1.1\r\nHost: a.test\r\n\r\n"
LIMIT = 64  # half of max-fd
WAIT = 3 * harness.PATIENCE  # keepalive is 75


def ask(s, bytes_=KEEP):
    """One request of a connection that is kept; its answer as far as it came."""
    s.sendall(bytes_)
    return s.recv(65536)


class Crowd(Case):
    def setUp(self):
        super().setUp()
        self.own, self.stats = harness.free_port(), harness.free_port()
        self.e = self.emperor()
        self.e.drop("a", "stuck", "http = 127.0.0.1:%d\nmax-fd = %d\nkeepalive = 75\nprocesses = 2\nstats = 127.0.0.1:%d" % (self.own, 2 * LIMIT, self.stats))
        self.e.wait_up("a", "/pid")

    def connect(self, port):
        s = socket.create_connection(("127.0.0.1", port), timeout=WAIT)
        self.addCleanup(s.close)
        return s

    def figure(self, name):
        return int(re.search(r'"%s": ?(\d+)' % name, request(self.stats, "/").body.decode()).group(1))

    def closed(self, s):
        """How the server has ended it: "eof", "reset"; None: it is open."""
        s.setblocking(False)
        try:
            return "eof" if not s.recv(1) else None
        except BlockingIOError:
            return None
        except ConnectionResetError:
            return "reset"
        finally:
            s.settimeout(WAIT)

    def crowd(self, port):
        idle = [self.connect(self.own) for _ in range(LIMIT - 1)]
        for s in idle:
            self.assertIn(b" 200 ", ask(s))
        time.sleep(0.3)  # LIMIT_CROWD_IDLE_MS
        for s in [self.connect(port) for _ in range(5)]:
            self.assertIn(b" 200 ", ask(s))
        ends = [self.closed(s) for s in idle]
        gone = ends.count("eof")
        self.assertIn(gone, (4, 5, 6), ends)
        self.assertEqual(ends, ["eof"] * gone + [None] * (len(idle) - gone), "the oldest first")
        self.assertIn(b" 200 ", ask(idle[-1]))
        self.assertEqual(self.figure("crowded"), gone)
        eventually(lambda: "closed for new ones" in self.e.ctl_text("events", "a").stdout, what="told as an event")
        log = self.e.ctl_text("logs", "a").stdout
        self.assertEqual(log.count("those that ask nothing"), 1, log)

    def test_who_asks_nothing_makes_room_at_an_own_address(self):
        self.crowd(self.own)

    def test_who_asks_nothing_makes_room_for_who_comes_through_the_gate(self):
        self.crowd(self.e.port)

    def test_who_waits_for_an_answer_is_never_closed(self):
        held = [self.connect(self.own) for _ in range(2)]
        for s in held:
            s.sendall(b"GET /hold HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
        waiting = [self.connect(self.own) for _ in range(LIMIT - 2)]
        for s in waiting:
            s.sendall(KEEP)
        late = self.connect(self.own)
        late.sendall(KEEP)
        late.settimeout(60 * harness.PATIENCE)
        answers = []
        for s in waiting + [late]:
            s.settimeout(60 * harness.PATIENCE)
            answers.append(s.recv(65536))
        self.assertEqual([a[9:12] for a in answers], [b"200"] * len(answers))

    def test_heads_that_do_not_end_give_way(self):
        slow = [self.connect(self.own) for _ in range(LIMIT)]
        for s in slow:
            s.sendall(b"GET /pid HTTP/1.1\r\nHost: a")
        self.assertEqual(request(self.own, "/pid", timeout=4).status, 200)  # header-timeout is longer
        self.assertIn(b" 408 ", slow[0].recv(65536))


if __name__ == "__main__":
    unittest.main(verbosity=2)
