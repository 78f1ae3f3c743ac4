"""The fault suite: a table of faults, one load, one set of rules.

Each fault happens to app "a" (or to a part that all share) while clients load "a" and its neighbour "b" and check every
answer. The table says what clients may see besides good answers, and how often: nothing, unless a row says so. "silent"
(closed without an answer) is allowed only to clients whose connection a killed front or gate held, "cut" also to one whose
answer a killed worker had begun. emperorctl says what happened. Afterwards everything serves again, and there are as many
processes, descriptors, shared memory and files in the run directory as before.

    scripts/fault [NAME ...]      all of it, about ten minutes: EMPEROR_FAULT=full
    ctest -R fault                the short form
"""

import pathlib
import sys
import unittest

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent), str(pathlib.Path(__file__).resolve().parents[1] / "integration")]

from apps import Apps
from killed import Killed
from machine import Machine
from rules import Suite


class Faults(Killed, Apps, Machine, Suite):
    pass


def as_test(fn):
    def test(self):
        self.run_fault(fn)

    test.__name__ = "test_" + fn.__name__
    test.__doc__ = None
    if getattr(fn, "__unittest_skip__", False):
        return unittest.skip(fn.__unittest_skip_why__)(test)
    return test


for _rows in (Killed, Apps, Machine):
    for _name, _fn in list(vars(_rows).items()):
        if hasattr(_fn, "fault"):
            setattr(Faults, "test_" + _name, as_test(_fn))


if __name__ == "__main__":
    unittest.main(verbosity=2)
