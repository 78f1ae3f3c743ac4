"""Clients that make requests without a pause and check every answer: what they saw is counted by status, or by the name
of what went wrong. "silent" is a connection that was closed or reset without a byte of an answer, "cut" one that ended
in the middle of it, "wrong" an answer that is not its request's."""

import collections
import contextlib
import http.client
import random
import threading
import time

import harness


class Load:
    def __init__(self, port, hosts, clients=4, keep=True, path="/", pause=0.002, body=None):
        self.port, self.hosts, self.keep, self.path, self.pause, self.body = port, hosts, keep, path, pause, body
        self.seen = collections.Counter()
        self.times = []  # seconds of each good answer
        self.odd = []  # time.time() and kind of everything else
        self.lock = threading.Lock()
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self._run) for _ in range(clients)]

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *unused):
        self.ending.set()
        for t in self.threads:
            t.join()

    def bad(self, *allowed):
        with self.lock:
            return {k: n for k, n in self.seen.items() if k != 200 and k not in allowed}

    def more(self, n=20, seconds=10):
        want = self.seen[200] + n
        harness.eventually(lambda: self.seen[200] >= want, seconds, "%d more good answers" % n)

    def _ask(self, connection):
        """What was seen, and whether the connection is spent."""
        begun = False
        try:
            connection.request("GET", self.path, headers={"Host": random.choice(self.hosts)})
            answer = connection.getresponse()
            begun = True
            body = answer.read()
        except http.client.RemoteDisconnected:
            return "silent", True
        except (ConnectionResetError, BrokenPipeError):
            return "cut" if begun else "silent", True
        except http.client.IncompleteRead:
            return "cut", True
        except (OSError, http.client.HTTPException) as e:
            return type(e).__name__, True
        if answer.status == 200 and self.body is not None and body != self.body:
            return "wrong", True
        return answer.status, answer.will_close or not self.keep

    def _run(self):
        connection = None
        while not self.ending.is_set():
            connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=15 * harness.PATIENCE)
            started = time.monotonic()
            seen, close = self._ask(connection)
            with self.lock:
                self.seen[seen] += 1
                if seen == 200:
                    self.times.append(time.monotonic() - started)
                else:
                    self.odd.append((time.time(), seen))
            if close:
                with contextlib.suppress(OSError):
                    connection.close()
                connection = None
            self.ending.wait(self.pause)
        if connection:
            connection.close()
