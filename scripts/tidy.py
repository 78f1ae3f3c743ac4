"""clang-tidy over every source, but for those that it found nothing in as they are now.

    tidy.py BUILD CACHE      BUILD holds compile_commands.json; CACHE a file for each source that was found clean

A file is named by what its source was: its bytes, those of all headers of ours that it includes, compile command, .clang-tidy,
and clang-tidy's version. A touch or another branch costs nothing; a change of one header looks again at those that
include it. The largest begin first, so that none is left alone at the end. Niced: tests run beside it.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

TIDY = "/usr/bin/clang-tidy"
TOP = pathlib.Path(__file__).resolve().parents[1]
INCLUDE = re.compile(rb'^#include "([^"]+)"', re.M)


class Texts:
    """Files by their paths from the top: bytes, and the headers of ours that they include."""

    def __init__(self):
        self.known = {}

    def read(self, path):
        if path not in self.known:
            data = (TOP / path).read_bytes()
            names = [n.decode() for n in INCLUDE.findall(data)]
            self.known[path] = data, [n for n in names if (TOP / n).is_file()]
        return self.known[path]

    def closure(self, path):
        seen, rest = set(), [path]
        while rest:
            at = rest.pop()
            if at not in seen:
                seen.add(at)
                rest += self.read(at)[1]
        return sorted(seen)


def key(texts, path, command, rules):
    digest = hashlib.sha256(rules + command.encode())
    for file in texts.closure(path):
        digest.update(file.encode() + b"\0" + hashlib.sha256(texts.read(file)[0]).digest())
    return digest.hexdigest()


def look(build, path):
    """What it says of a source; nothing if all is well."""
    done = subprocess.run([TIDY, "-p", build, "--quiet", path], cwd=TOP, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def main(build, cache):
    os.nice(5)
    cache.mkdir(parents=True, exist_ok=True)
    version = subprocess.run([TIDY, "--version"], capture_output=True, check=True).stdout
    rules = (TOP / ".clang-tidy").read_bytes() + version
    texts, keys = Texts(), {}
    for entry in json.loads((pathlib.Path(build) / "compile_commands.json").read_text()):
        path = os.path.relpath(entry["file"], TOP)
        if path.startswith(("emperor/", "vassal/", "shared/")):
            keys[path] = key(texts, path, entry["command"], rules)
    for old in cache.iterdir():
        if old.name not in keys.values():
            old.unlink()
    stale = sorted((p for p, k in keys.items() if not (cache / k).exists()), key=lambda p: -len(texts.read(p)[0]))
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for path, said in zip(stale, pool.map(lambda p: look(build, p), stale)):
            if said:
                print(said, flush=True)
                bad += 1
            else:
                (cache / keys[path]).touch()
    print("%d sources, %d looked at, %d with findings" % (len(keys), len(stale), bad), file=sys.stderr)
    return bad > 0


sys.exit(main(sys.argv[1], pathlib.Path(sys.argv[2])))
