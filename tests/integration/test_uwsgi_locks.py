"""The locks of the uwsgi module: between threads and processes, with deaths, forks and interrupts in between."""

import concurrent.futures
import os
import unittest

from harness import eventually, request
from uwsgi_app import APP, Served


class Locks(Served):
    def test_a_lock_is_held_by_one_of_all_threads_and_processes_and_given_back_by_the_dead(self):
        port, process = self.serve(APP, "--processes", "3", "--threads", "2")
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            got = sorted(pool.map(lambda _: self.see(port, "count()", timeout=30), range(24)))
        self.assertEqual(got, list(range(1, 25)))
        self.assertEqual(self.see(port, "uwsgi.is_locked(0), uwsgi.lock(1), uwsgi.is_locked(1), uwsgi.unlock(1), uwsgi.is_locked(1)"),
                         (False, None, True, None, False))
        self.assertEqual(request(port, "/", headers={"X-See": "holds_and_dies()"}).status, 502)
        self.assertEqual(self.see(port, "uwsgi.lock(3), uwsgi.unlock(3)"), (None, None))
        self.assertEqual(request(port, "/", headers={"X-See": "uwsgi.lock(64)"}).status, 500)
        eventually(lambda: "locks are numbered from 0 to 63" in process.output(), 5, "the log says why")

    def test_what_the_app_forks_shares_no_lock_with_it(self):
        port, process = self.serve(APP)
        if os.getuid() == 0:
            os.chmod(self.folder, 0o777)
        self.assertEqual(self.see(port, "child_looks()"), (True, None, 9))
        self.assertEqual(self.see(port, "daemon_keeps_its_descriptors()"), 0)
        self.assertEqual(self.see(port, "uwsgi.is_locked(4)"), False)
        self.assertEqual(request(port, "/", headers={"X-See": "child_survives()"}).status, 502)
        self.assertEqual(self.see(port, "uwsgi.is_locked(3)"), False)
        child = int((self.folder / "counter.child").read_text())
        os.kill(child, 0)
        (self.folder / "counter.go").touch()
        eventually(lambda: not os.path.exists("/proc/%d" % child), 5, "the child leaves")

    def test_who_waits_for_a_lock_does_not_lose_it_to_an_unlock_of_another_thread(self):
        port, process = self.serve(APP, "--processes", "2")
        if os.getuid() == 0:
            os.chmod(self.folder, 0o777)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            self.assertEqual(list(pool.map(lambda e: self.see(port, e), ("hold_until_told()", "unlock_while_another_waits()"))), [None, [None]])
            self.assertEqual(set(pool.map(lambda _: self.see(port, "locked_here()"), range(2))), {(1, False), (2, False)})

    def test_who_waits_for_a_lock_of_its_own_process_can_be_interrupted(self):
        for threads in "1", "2":
            with self.subTest(threads=threads):
                port, process = self.serve(APP, "--threads", threads, "--interrupt-timeout", "1")
                pid = self.see(port, "os.getpid()")
                self.assertEqual(request(port, "/", headers={"X-See": "waits_for_itself()"}, timeout=15).status, 504)
                eventually(lambda p=port, i=pid: self.see(p, "os.getpid(), uwsgi.is_locked(7)") == (i, False), 5, "it is given back")
                eventually(lambda p=process: "in waits_for_itself\n" in p.output() and "RequestTimeout" in p.output(), 5, "its traceback")

    def test_a_lock_of_a_worker_that_has_become_the_parent_of_a_mold_is_its_own(self):
        port, process = self.serve(APP, "--processes", "1", "--refork", "3")

        def reforked():
            return request(port).status == 200 and "is the parent of a new mold" in process.output()

        eventually(reforked, 10, "a mold is made of the worker")
        self.assertEqual(request(port, "/", headers={"X-See": "holds_and_dies()"}).status, 502)
        self.assertEqual(self.see(port, "uwsgi.is_locked(3)"), False)


if __name__ == "__main__":
    unittest.main(verbosity=2)
