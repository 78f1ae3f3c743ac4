"""Ports that nobody else takes: neither another test beside this one, nor the kernel for a client that connects somewhere.

A port that was only tried, and given up for the daemon that is to have it, may be another's by then.
"""

import collections
import errno
import itertools
import os
import pathlib
import socket

FIRST = 10240
KEPT = 256  # descriptors; who had a port that many ports ago is long gone


def _candidates():
    """Below those that the kernel gives to clients, or above them; each process begins somewhere else."""
    low, high = map(int, pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    ports = range(FIRST, low) if low - FIRST > KEPT * 4 else range(high + 1, 65536)
    if len(ports) < KEPT:
        ports = range(FIRST, 65536)
    begin = os.getpid() * 97 % len(ports)
    return itertools.cycle([*ports[begin:], *ports[:begin]])


_next = _candidates()
_kept = collections.deque()


def _reserve(port):
    """None, or a socket that says to all other tests, for as long as it is open, that the port is taken."""
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind("\0emperor-test-port-%d" % port)
        for host in ("127.0.0.1", ""):
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind((host, port))
    except OSError as e:
        claim.close()
        if e.errno != errno.EADDRINUSE:
            raise
        return None
    return claim


def free_port():
    while True:
        port = next(_next)
        claim = _reserve(port)
        if claim:
            break
    _kept.append(claim)
    if len(_kept) > KEPT:
        _kept.popleft().close()
    return port
