"""Apps at the edges of PEP 3333: what is legal and rare, and what is wrong and must harm nobody else."""
import contextlib
import gc
import gzip
import io
import os
import sys
import tempfile
import threading
import time

from emperor import RequestTimeout

import shapes


def plain(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"plain"]


def started_late(environ, start_response):
    """A generator: start_response() runs with its first item. Returns it when the file HTTP_X_GO is there."""
    while not os.path.exists(environ["HTTP_X_GO"]):
        time.sleep(0.005)

    def answer():
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"begun"

    return answer()


def held(environ, start_response):
    """Two items; the second when the file HTTP_X_GO is there."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"first"
    while not os.path.exists(environ["HTTP_X_GO"]):
        time.sleep(0.005)
    yield b"second"


def packed(how):
    f = tempfile.NamedTemporaryFile()
    with gzip.open(f, "wb") as z:
        z.write(b"unpacked " * 20000)
    f.seek(0)
    if how == "buffered":
        return io.BufferedReader(gzip.GzipFile(fileobj=f))
    if how == "random":
        return io.BufferedRandom(Upper(f.name, "r+b"))
    return io.BufferedReader(Upper(f.name))


class Upper(io.FileIO):
    """A file that has a descriptor, and other bytes than lie behind it."""

    def readinto(self, buffer):
        n = super().readinto(buffer)
        buffer[:n] = b"u" * n
        return n


def wrapped_reader(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return environ["wsgi.file_wrapper"](packed(environ["QUERY_STRING"]), 8192)


class Sized:
    """An iterable whose length cannot be had."""

    def __init__(self, error):
        self.error = error

    def __len__(self):
        raise self.error("no length")

    def __iter__(self):
        return iter([b"a", b"b"])


def sized(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return Sized({"type": TypeError, "exit": SystemExit}[environ["QUERY_STRING"]])


def crowd(environ, start_response):
    """Threads that hint and write at once, more than there is room for."""
    hint = environ["wsgi.early_hints"]
    write = start_response("200 OK", [("X-Big", "v" * 30000)])

    def hints():
        for _ in range(200):
            hint([("Link", "<%s>" % ("a" * 2000))])

    def writes():
        time.sleep(0.01)
        for _ in range(40):
            write(b"w" * 3000)

    threads = [threading.Thread(target=f) for f in (hints, writes) * 4]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return []


def wrapped_and_written(environ, start_response):
    """A file that is sent while a thread writes."""
    write = start_response("200 OK", [])
    write(b"w")
    f = tempfile.TemporaryFile()
    f.write(b"f" * 4000000)
    f.seek(0)
    os.fsync(f.fileno())

    def writes():
        with contextlib.suppress(RuntimeError, ValueError):  # the request is over, its file closed
            for _ in range(200):
                os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # to read it takes its time
                write(b"w" * 3000)

    for _ in range(3):
        threading.Thread(target=writes).start()
    return environ["wsgi.file_wrapper"](f)


class Unclosable(io.BytesIO):
    @property
    def close(self):
        raise LookupError("no way to close this")


def wrapped_unclosable(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return environ["wsgi.file_wrapper"](Unclosable(b"bytes"))


def headers_that_go(environ, start_response):
    """Headers that are gone before the complaint about one of them is written."""
    headers = []

    class Empties:
        def __repr__(self):
            headers.clear()
            return "gone"

    headers.append(slice(Empties(), Empties(), Empties()))
    start_response("200 OK", headers)
    return [b"never"]


def wrapped_and_ended(environ, start_response):
    """A file whose method of this name says that the request is to end."""

    def end():
        raise {"timeout": RequestTimeout, "error": OSError}[environ["HTTP_X_ERROR"]]("said by the file")

    f = open(__file__, "rb")
    setattr(f, environ["QUERY_STRING"], end)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return environ["wsgi.file_wrapper"](f, 8192)


def forked_reader(environ, start_response):
    """What a child of the app's gets when it reads the body."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            text = "read %r" % environ["wsgi.input"].read()
        except Exception as e:
            text = type(e).__name__
        os.write(theirs, text.encode())
        os._exit(0)
    text = os.read(ours, 1000)
    os.close(ours)
    os.close(theirs)
    os.waitpid(pid, 0)
    start_response("200 OK", [])
    return [text]


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def read_by_many(environ, start_response):
    """Threads that read one body at once, each for the first time."""
    data = environ["wsgi.input"]
    barrier = threading.Barrier(4)

    def read():
        barrier.wait()
        data.read(1)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    start_response("200 OK", [])
    return [b"read"]


def shared_by_many(environ, start_response):
    """One body that threads share out among them: by lines, blocks, buffers, or each kind by turns."""
    data = environ["wsgi.input"]
    pieces = []

    def fill():
        buffer = bytearray(700)
        return bytes(buffer[:data.readinto(buffer)])

    ways = {"lines": data.readline, "blocks": lambda: data.read(700), "buffers": fill}
    kinds = list(ways) if environ["QUERY_STRING"] == "mixed" else [environ["QUERY_STRING"]]

    def share(way):
        mine = []
        while piece := way():
            mine.append(piece)
        pieces.extend(mine)

    threads = [threading.Thread(target=share, args=(ways[kinds[n % len(kinds)]],)) for n in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    start_response("200 OK", [])
    end = data.tell()
    data.seek(0)
    return [repr((sum(map(len, pieces)), end, sorted(b"".join(pieces)) == sorted(data.read()))).encode()]


def count_descriptors(environ, start_response):
    start_response("200 OK", [])
    return [b"%d" % descriptors()]


writes = []


def write_on(environ, start_response):
    """A thread goes on writing when the answer is over: what it writes is nobody's."""
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    waits = threading.Event()

    def run():
        try:
            for _ in range(4):  # as many as a lane holds
                write(b"w" * 60000)
            waits.set()
            write(b"w" * 60000)
            writes.append("written")
        except RuntimeError as e:
            writes.append(str(e))

    threading.Thread(target=run).start()
    waits.wait()
    time.sleep(0.2)  # in C by now: nothing can be awaited there
    return []


def writes_ended(environ, start_response):
    start_response("200 OK", [])
    return [repr(writes).encode()]


def blocks(environ, start_response):
    gc.collect()
    start_response("200 OK", [])
    return [b"%d" % sys.getallocatedblocks()]


def application(environ, start_response):
    name = environ["PATH_INFO"].strip("/")
    return globals().get(name, getattr(shapes, name, None))(environ, start_response)
