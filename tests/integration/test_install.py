"""What an install puts where: all of it below its prefix, and a unit that starts what was installed with it."""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

from harness import BUILD

UNIT = "lib/systemd/system/emperor.service"


def install(prefix, destdir="", cwd=None):
    done = subprocess.run(["cmake", "--install", str(BUILD), "--prefix", str(prefix)], cwd=cwd,
                          env={**os.environ, "DESTDIR": str(destdir)},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout


def started_by(unit):
    return pathlib.Path(re.search(r"^ExecStart=(\S+) ", unit.read_text(), re.M).group(1))


class Install(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="emperor-install-")
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)

    def files(self):
        return {p for p in self.folder.rglob("*") if not p.is_dir()}

    def test_nothing_stands_outside_the_prefix(self):
        # a DESTDIR first: what has an absolute path lands beside the prefix, and not in this machine's /usr/local
        destdir, prefix = self.folder / "dest", self.folder / "prefix"
        install(prefix, destdir)
        inside = destdir / prefix.relative_to("/")
        self.assertEqual({p for p in self.files() if inside not in p.parents}, set())
        # and the unit speaks of the machine that it will be unpacked on
        self.assertEqual(started_by(inside / UNIT), prefix / "sbin/emperor")

    def test_the_unit_starts_the_emperor_beside_it(self):
        first, second = self.folder / "first", self.folder / "second"
        install(first)
        install("second", cwd=self.folder)
        for prefix in first, second:
            program = started_by(prefix / UNIT)
            self.assertEqual(program, prefix / "sbin/emperor")
            said = subprocess.run([program, "--version"], stdout=subprocess.PIPE, check=True, text=True).stdout
            self.assertIn("emperor", said)


if __name__ == "__main__":
    unittest.main(verbosity=2)
