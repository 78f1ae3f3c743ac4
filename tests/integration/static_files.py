"""A folder of files with known bytes and dates, and a vassal that serves it; for test_static*.py."""

import os

import harness
from harness import Case, eventually, request

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"  # of every file here
OLD = 784111777  # the same
TEXT = bytes(range(256)) * 4  # 1024 bytes


class Files(Case):
    FILES = {"a.bin": TEXT, "sub/b.txt": b"sub", "site/index.html": b"<p>index", "bare/x.txt": b"x", "img.png": b"png",
             "big.bin": b"0123456789" * 100000, ".env": b"secret", "odd.xyz": b"odd"}

    def setUp(self):
        super().setUp()
        self.root = self.folder / "files"
        for name, data in self.FILES.items():
            self.put(name, data)

    def put(self, name, data, when=OLD):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (when, when))
        return path

    def served(self, *args, module="handover"):
        self.port = harness.free_port()
        self.process = self.vassal("--http", "127.0.0.1:%d" % self.port, "--chdir", str(harness.APPS), "--module", module, *args)

        def up():
            try:
                return request(self.port, "/up").status == 200
            except OSError:
                if not self.process.alive():
                    raise AssertionError("vassal ended:\n" + self.process.output())
                return False

        eventually(up, 15, "vassal answers")

    def get(self, path, headers=None, method="GET"):
        return request(self.port, path, method=method, headers=headers)

    def front_fds(self):
        return len(os.listdir("/proc/%d/fd" % self.process.process.pid))

    def said(self, text):
        return eventually(lambda: text in self.process.output(), 10, "log says " + text)
