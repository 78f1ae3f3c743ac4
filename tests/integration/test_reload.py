"""Reloads: nobody notices them, their limits change in place, their triggers fire once, their failures are taken back."""

import contextlib
import resource
import select
import socket
import time
import unittest

from harness import Case, eventually

IDLE = 2000


def open_many(port, n, data):
    """n connections that have each asked once and are kept."""
    found = []
    for _ in range(n):
        s = socket.create_connection(("127.0.0.1", port), 10)
        s.sendall(data)
        found.append(s)
    return found


def read_all(sockets, seconds=10):
    """What each has received once it holds one whole answer (Content-Length), or its end."""
    got = {s: b"" for s in sockets}
    waiting = set(sockets)
    poll = select.poll()
    by_fd = {}
    for s in sockets:
        s.setblocking(False)
        poll.register(s, select.POLLIN)
        by_fd[s.fileno()] = s
    deadline = time.monotonic() + seconds
    while waiting and time.monotonic() < deadline:
        for fd, _ in poll.poll(200):
            s = by_fd[fd]
            try:
                piece = s.recv(65536)
            except OSError:
                piece = b""
            got[s] += piece
            head, _, body = got[s].partition(b"\r\n\r\n")
            length = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            if not piece or (length and len(body) >= length[0]):
                poll.unregister(s)
                waiting.discard(s)
    return [got[s] for s in sockets]


class KeptConnections(Case):
    def setUp(self):
        super().setUp()
        was = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (was[1], was[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, was)
        if was[1] < 3 * IDLE:
            self.skipTest("needs %d descriptors, may have %d" % (3 * IDLE, was[1]))

    def handed_back(self, e, app):
        return e.ctl("stats", app)["handed_back"]

    def test_2000_idle_connections_all_ask_right_after_a_reload_and_none_fails(self):
        e = self.emperor()
        e.drop("one", "whoami", "queue-size = 1000\nprocesses = 2\n")
        e.wait_up("one")
        ask = b"GET / HTTP/1.1\r\nHost: one.test\r\n\r\n"
        clients = open_many(e.port, IDLE, ask)
        try:
            first = read_all(clients)
            self.assertEqual([a[:40] for a in first if not a.startswith(b"HTTP/1.1 200 ")], [])
            e.ctl("reload", "one")
            for half in (clients[::2], clients[1::2]):
                for s in half:
                    s.sendall(ask)
                answers = read_all(half)
                self.assertEqual([a[:40] for a in answers if not a.startswith(b"HTTP/1.1 200 ")], [])
            eventually(lambda: e.state("one")["generation"] == 2)
        finally:
            for s in clients:
                s.close()
        # by descriptor, with their route: not one of them went through the gate again
        self.assertEqual(self.handed_back(e, "one"), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
