"""A file system on which nothing happens by itself: FUSE's protocol by hand, one read-only folder, each answer let go by the test."""

import ctypes
import errno
import os
import struct
import threading

from harness import eventually

LOOKUP, FORGET, GETATTR, OPEN, READ, STATFS, RELEASE, FLUSH, INIT = 1, 2, 3, 14, 15, 17, 18, 25, 26
INTERRUPT, BATCH_FORGET = 36, 42
ROOT = 1
WHEN = 784111777
_libc = ctypes.CDLL(None, use_errno=True)


def may_mount():
    return os.geteuid() == 0 and os.path.exists("/dev/fuse")


class SlowDisk:
    """files: bytes by name. Nothing is kept by the kernel longer than one question, so that it asks each time."""

    def __init__(self, folder, files):
        self.folder = str(folder)
        self.names = {name: i for i, name in enumerate(sorted(files), ROOT + 1)}
        self.bytes = {self.names[name]: data for name, data in files.items()}
        self.changed = threading.Condition()
        self.held = False  # answers wait for step()
        self.waiting, self.let_go = 0, 0
        self.fd = os.open("/dev/fuse", os.O_RDWR)
        os.makedirs(folder, exist_ok=True)
        options = "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other" % self.fd
        if _libc.mount(b"slow", self.folder.encode(), b"fuse.slow", 6, options.encode()) < 0:
            os.close(self.fd)
            raise OSError(ctypes.get_errno(), "mount")
        threading.Thread(target=self._run, daemon=True).start()

    def hold(self):
        with self.changed:
            self.held = True

    def step(self):
        """Lets one answer go."""
        with self.changed:
            self.let_go += 1
            self.changed.notify_all()
        eventually(lambda: self.let_go == 0, 10, "the answer went")

    def end(self):
        with self.changed:
            self.held = False
            self.changed.notify_all()
        _libc.umount2(self.folder.encode(), 2)  # lazily: whoever has files open keeps them

    def _attributes(self, node):
        size, mode = (0, 0o40755) if node == ROOT else (len(self.bytes[node]), 0o100644)
        return struct.pack("<QQQQQQ10I", node, size, size // 512, WHEN, WHEN, WHEN, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)

    def _answer(self, what, node, body):
        """Bytes, or an errno."""
        if what == INIT:
            return struct.pack("<IIIIHHIIHHI28x", 7, 31, 131072, 0, 16, 12, 131072, 1, 32, 0, 0)
        if what == LOOKUP:
            found = self.names.get(body.rstrip(b"\0").decode())
            return struct.pack("<5QII", found, 0, 0, 0, 0, 0, 0)[:40] + self._attributes(found) if found else errno.ENOENT
        if what == GETATTR:
            return struct.pack("<QII", 0, 0, 0) + self._attributes(node)
        if what == OPEN:
            return struct.pack("<QII", 0, 0, 0)
        if what == READ:
            at, n = struct.unpack_from("<QI", body, 8)
            return self.bytes[node][at:at + n]
        if what == STATFS:
            return struct.pack("<5Q4I24x", 0, 0, 0, 0, 0, 4096, 255, 4096, 0)
        return b"" if what in (RELEASE, FLUSH) else errno.ENOSYS

    def _serve(self, what, unique, node, body):
        with self.changed:
            if self.held and what != INIT:
                self.waiting += 1
                self.changed.wait_for(lambda: self.let_go > 0 or not self.held)
                self.waiting -= 1
                self.let_go = max(self.let_go - 1, 0)
        answer = self._answer(what, node, body)
        error, data = (answer, b"") if isinstance(answer, int) else (0, answer)
        try:
            os.write(self.fd, struct.pack("<IiQ", 16 + len(data), -error, unique) + data)
        except OSError:
            pass  # who asked has gone

    def _run(self):
        while True:
            try:
                message = os.read(self.fd, 1 << 18)
            except InterruptedError:
                continue
            except OSError as e:
                if e.errno == errno.ENOENT:
                    continue
                return  # unmounted
            n, what, unique, node = struct.unpack_from("<IIQQ", message)
            if what not in (FORGET, BATCH_FORGET, INTERRUPT):
                threading.Thread(target=self._serve, args=(what, unique, node, message[40:n]), daemon=True).start()
