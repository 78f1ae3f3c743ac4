"""An ini that gets another name is another app; its clients do not notice."""

import os
import pwd
import unittest

from harness import eventually, free_port, request
from succession import Load, Succession


class Rename(Succession):
    def rename(self, e, old, new):
        (e.vassals / (old + ".ini")).rename(e.vassals / (new + ".ini"))
        eventually(lambda: e.state(old) is None, 10, "the end of " + old)
        return e.wait_state(new, "running")

    def test_under_load_no_request_is_lost_on_the_shared_port_nor_on_its_own(self):
        own, sock = free_port(), self.folder / "a.sock"
        os.chmod(self.folder, 0o777)
        e = self.emperor()
        e.drop("a", domain="same.test", extra="disable-logging = true\nhttp = 127.0.0.1:%d\nhttp = %s" % (own, sock))
        eventually(lambda: e.get("a", host="same.test").status == 200, 10)
        inode = os.stat(sock).st_ino
        loads = [Load(e.port, "same.test") for _ in range(4)] + [Load(own, "same.test") for _ in range(2)]
        for load in loads:
            load.more()
        for old, new in (("a", "b"), ("b", "a"), ("a", "0"), ("0", "z"), ("z", "a")):
            self.rename(e, old, new)
            for load in loads:
                load.more()
        self.assertEqual(os.stat(sock).st_ino, inode, "the very same socket")
        for load in loads:
            self.assertEqual(load.end(), [])
        self.assertIn("a: has its listeners from z", e.output())

    def test_what_could_not_serve_is_mended_and_renamed_at_once(self):
        own = free_port()
        e = self.emperor()
        e.drop("a", "nosuchmodule", "http = 127.0.0.1:%d" % own, domain="same.test")
        e.wait_state("a", "backoff")
        load = Load(own, "same.test")
        eventually(lambda: 503 in load.bad, 10, "the gate stands in")
        hidden = e.vassals / ".b"
        hidden.write_text((e.vassals / "a.ini").read_text().replace("nosuchmodule", "hello"))
        (e.vassals / "a.ini").unlink()
        hidden.rename(e.vassals / "b.ini")
        eventually(lambda: load.good > 20, 10, "it serves")
        load.end()
        eventually(lambda: e.state("a") is None, 10, "the end of a")
        self.assertEqual(e.state("b")["failures"], 0)

    def test_one_that_sleeps_is_woken_under_its_new_name(self):
        own = free_port()
        e = self.emperor()
        e.drop("a", domain="same.test", extra="on-demand = true\nhttp = 127.0.0.1:%d" % own)
        e.wait_state("a", "sleeping")
        (e.vassals / "a.ini").rename(e.vassals / "b.ini")
        eventually(lambda: e.state("a") is None, 10, "the end of a")
        e.wait_state("b", "sleeping")
        self.assertIn("b: has its listeners from a", e.output())
        self.assertEqual(request(own, host="same.test", timeout=10).status, 200)
        self.assertIn("b: woken by a connection at", e.output())

    @unittest.skipUnless(os.getuid() == 0, "only root runs apps as others")
    def test_nobody_gets_the_listeners_of_another_user(self):
        sock = self.folder / "a.sock"
        os.chmod(self.folder, 0o777)
        e = self.emperor()
        e.drop("a", domain="same.test", extra="uid = nobody\nhttp = %s" % sock)
        eventually(lambda: e.get("a", host="same.test").status == 200, 10)
        old = os.stat(sock).st_uid
        ini = e.vassals / "a.ini"
        hidden = e.vassals / ".b"
        hidden.write_text(ini.read_text().replace("uid = nobody", "uid = www-data"))
        ini.unlink()
        hidden.rename(e.vassals / "b.ini")
        eventually(lambda: e.state("a") is None, 10, "the end of a")
        e.wait_state("b", "running", 30)
        self.assertNotIn("has its listeners from", e.output())
        self.assertEqual((old, os.stat(sock).st_uid), (pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("www-data").pw_uid))

    def test_a_killed_emperor_leaves_nobody_behind_who_has_yielded(self):
        e = self.emperor()
        e.drop("a", domain="same.test")
        e.wait_state("a", "running")
        self.kill(e)
        (e.vassals / "a.ini").rename(e.vassals / "b.ini")
        load = Load(e.port, "same.test")
        load.more()
        f = self.successor(e)
        eventually(lambda: f.state("a") is None, 10, "the end of a")
        f.wait_state("b", "running")
        load.more()
        self.assertEqual(load.end(), [])


if __name__ == "__main__":
    unittest.main()
