"""The files of the static suite, and how servers are told to serve them."""

import os

from http_case import get
from wire import Http

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"  # of every file here
OLD = 784111777  # the same
TEXT = bytes(range(256)) * 4  # 1024 bytes
BIG = b"0123456789" * 100000
SECRET = b"outside and secret"

FILES = {
    "a.bin": TEXT, "big.bin": BIG, "empty.txt": b"", "probe": b"probe", "sub/b.txt": b"sub", "site/index.html": b"<p>index",
    "site/deep/index.htm": b"deep", "bare/x.txt": b"x", "img.png": b"png", "img.JPEG": b"jpeg", "page.php": b"<?php", "sp ace%.html": b"<p>",
    ".env": b"hidden", ".git/config": b"hidden", "sub/.env": b"hidden", ".well-known/acme": b"token", "odd.xyzzy": b"odd",
    "a.odt": b"odt", "s.css": b"css", "caf\u00e9.txt": b"coffee", "plus+and&.txt": b"plus", "old.css": b"new",
    "long" + "g" * 240: b"long",
    "j.js": b"plain", "j.js.br": b"br", "j.js.zst": b"zst", "j.js.gz": b"gz", "only.gz": b"gz alone",
}
OTHERS = {"other/a.bin": b"other", "other/only": b"only", "other/two/t": b"two", "other/place/index.html": b"place", "safe/f": b"safe",
          "outside/f": SECRET, "filesx/f": SECRET, "secret": SECRET}
OLDER = {"old.css.gz": b"old form"}
LINKS = {"inside": "sub/b.txt", "insidedir": "sub", "out": "../outside/f", "outdir": "../outside", "in": "{}/safe/f", "safedir": "{}/safe",
         "absolute": "{}/files/sub/b.txt", "magic": "/proc/self/root{}/outside/f", "nowhere": "none", "loop": "loop"}


def _put(path, data, when):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (when, when))


def make(folder):
    """files/ in it, and what lies beside that."""
    for name, data in FILES.items():
        _put(folder / "files" / name, data, OLD)
    for name, data in OLDER.items():
        _put(folder / "files" / name, data, OLD - 10)
    for name, data in OTHERS.items():
        _put(folder / name, data, OLD)
    _put(folder / "files" / "future", b"future", 4102444800)  # 2100
    for name, target in LINKS.items():
        os.symlink(target.format(folder), folder / "files" / name)
    os.symlink(folder / "outside" / "f", folder / "safe" / "onward")
    os.mkfifo(folder / "files" / "fifo")


def options(site, folder):
    """Of ours and of uWSGI, whose names they are: "app" has all, "plain" no index, "bare" no app."""
    files = folder / "files"
    yield "static-map", "/s=%s" % files
    if site != "plain":
        yield "static-index", "index.html"
        yield "static-index", "index.htm"
    if site != "app":
        return
    yield "static-map", "/s=%s" % (folder / "other")
    yield "static-map", "/one=%s" % (files / "sub/b.txt")
    yield "static-map2", "/two=%s" % (folder / "other")
    yield "check-static", str(folder / "other")
    yield "static-safe", str(folder / "safe")
    yield "static-skip-ext", ".php"
    yield "static-gzip-all", "true"
    yield "static-expires-type", "image/png=100"
    yield "static-expires-uri", "[?]v=[0-9]+$ 31536000"
    yield "static-expires-mtime", "/bare/ 400"


class Files(Http):
    probe = behind = get(b"Connection: close\r\n", b"/s/probe")
