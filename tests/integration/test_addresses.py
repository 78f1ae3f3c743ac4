"""An address has one app: who wants it too is told which one, by a plan, by check, and when it is started."""

import socket

import harness
from harness import APPS, Case, free_port

LISTENERS = ("http", "http-socket", "socket", "uwsgi-socket", "fastcgi-socket", "scgi-socket")


class Addresses(Case):
    def setUp(self):
        super().setUp()
        self.sockets = self.folder / "sockets"
        self.sockets.mkdir()
        self.sockets.chmod(0o777)
        self.port = free_port()
        self.stats = free_port()
        self.path = self.sockets / "one.sock"
        self.e = self.emperor()
        self.e.drop("one", "hello", self.lines())
        self.e.wait_up("one")

    def lines(self):
        return "socket = 127.0.0.1:%d\nsocket = %s\nsocket = @%s\nstats = 127.0.0.1:%d\n" % (
            self.port, self.path, self.path, self.stats)

    def ini(self, *lines):
        return "[vassal]\nchdir = %s\nmodule = hello\n%s\n" % (APPS, "\n".join(lines))

    def wanted(self):
        """Lines that ask for what the app has, in every notation that means it."""
        tcp = ["127.0.0.1:%d" % self.port, "0.0.0.0:%d" % self.port, ":%d" % self.port]
        found = ["%s = %s" % (key, a) for key in LISTENERS for a in tcp]
        found += ["%s = %s" % (key, a) for key in LISTENERS[1:] for a in (self.path, "@%s" % self.path)]
        return found + ["socket = :%d" % self.stats, "stats = 127.0.0.1:%d" % self.port, "stats = %s" % self.path]

    def expected(self, name, line):
        return "%s.ini:4: %s: the app \"one\" has this address" % (name, line.split(" = ")[1])

    def test_a_plan_refuses_what_another_app_has(self):
        staged = self.folder / "staged"
        staged.mkdir()
        (staged / "one.ini").write_text((self.e.vassals / "one.ini").read_text())
        for i, line in enumerate(self.wanted()):
            (staged / ("n%02d.ini" % i)).write_text(self.ini(line))
        done = self.e.ctl("plan", str(staged), check=False)
        rows = {r["name"]: r for r in done["apps"]}
        for i, line in enumerate(self.wanted()):
            row = rows["n%02d" % i]
            self.assertEqual(row["action"], "refused", row)
            self.assertIn(self.expected("n%02d" % i, line), row["text"])
        self.assertEqual(rows["one"]["action"], "nothing")
        # given up in the same change, the first that wants it has it
        (staged / "one.ini").write_text(self.ini("domain = one.test"))
        rows = {r["name"]: r for r in self.e.ctl("plan", str(staged), check=False)["apps"]}
        self.assertEqual((rows["one"]["action"], rows["n00"]["action"]), ("reload", "start"))
        self.assertIn('the app "n00" has this address', rows["n01"]["text"])

    def test_a_start_that_fails_names_who_has_the_address(self):
        wanted = self.wanted()
        for i, line in enumerate(wanted):
            self.e.write("n%02d" % i, self.ini(line))
        for i, line in enumerate(wanted):
            row = self.e.wait_state("n%02d" % i, "backoff")
            value = line.split(" = ")[1]
            self.assertIn("n%02d.ini:4: %s: cannot bind: the app \"one\" has this address" % (i, value),
                          row["last_error"])
        self.assertEqual(self.e.get("one").status, 200)

    def test_check_names_who_has_an_address_of_any_kind(self):
        wanted = self.wanted()
        path = self.folder / "two.ini"
        for line in wanted:
            path.write_text(self.ini(line, "socket = 127.0.0.1:%d" % free_port()))
            done = self.e.ctl_text("check", str(path))
            key, value = line.split(" = ")
            self.assertEqual(done.returncode, 1, line + done.stdout)
            self.assertIn('two.ini:4: %s: %s: the app "one" has this address\n' % (key, value), done.stdout)
        # who was refused for it does not have it, whatever it is called
        for name in ("a", "z"):
            self.e.write(name, self.ini("http = :%d" % self.port))
            self.e.wait_state(name, "backoff")
            done = self.e.ctl_text("check", str(self.e.vassals / (name + ".ini")))
            self.assertIn('%s.ini:4: http: :%d: the app "one" has this address\n' % (name, self.port), done.stdout)
            self.assertEqual(done.returncode, 1, done.stdout)
        done = self.e.ctl_text("check", str(self.e.vassals / "one.ini"))
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_check_knows_a_socket_that_somebody_else_listens_on(self):
        path = self.folder / "two.ini"
        for name in (str(self.sockets / "other.sock"), "@" + str(self.sockets)):
            path.write_text(self.ini("socket = " + name))
            with socket.socket(socket.AF_UNIX) as s:
                s.bind(name.replace("@", "\0"))
                s.listen()
                done = self.e.ctl_text("check", str(path))
                self.assertIn("two.ini:4: socket: %s: is in use by another process\n" % name, done.stdout)
                self.assertEqual(done.returncode, 1, done.stdout)
            # what nobody listens on is replaced
            done = self.e.ctl_text("check", str(path))
            self.assertEqual(done.returncode, 0, done.stdout)

    def test_a_wider_address_waits_until_the_app_lets_go_of_the_narrower(self):
        """The old generation serves until the new one is ready, and so has it until then."""
        text = self.ini("domain = one.test", *self.lines().splitlines())
        wide = text.replace("127.0.0.1:%d" % self.port, ":%d" % self.port)
        words = "the app itself (as 127.0.0.1:%d, until it is stopped) has this address" % self.port
        staged = self.folder / "staged"
        staged.mkdir()
        (staged / "one.ini").write_text(wide)
        row = self.e.ctl("plan", str(staged), check=False)["apps"][0]
        self.assertEqual(row["action"], "refused", row)
        self.assertIn("one.ini:5: :%d: %s" % (self.port, words), row["text"])
        done = self.e.ctl_text("check", str(staged / "one.ini"))
        self.assertIn("one.ini:5: socket: :%d: %s" % (self.port, words), done.stdout)
        self.e.write("one", wide)
        done = self.e.ctl_text("reload", "one")
        self.assertEqual(done.returncode, 1)
        self.assertIn("one.ini:5: :%d: cannot bind: %s" % (self.port, words), self.e.state("one")["last_error"])
        self.e.ctl("stop", "one")
        self.e.ctl("start", "one")
        self.assertEqual(self.e.get("one").status, 200)
        listens = self.e.ctl("status", "one")["apps"][0]["listens"]
        self.assertIn(":%d" % self.port, listens)
        self.assertNotIn("127.0.0.1:%d" % self.port, listens)

    def test_check_and_a_start_agree_on_a_stats_socket_without_a_folder(self):
        path = self.e.write("two", self.ini("stats = %s/nowhere/s.sock" % self.folder))
        self.assertIn("two.ini:4: ", self.e.wait_state("two", "backoff")["last_error"])
        done = self.e.ctl_text("check", str(path))
        self.assertIn("two.ini:4: stats: %s/nowhere/s.sock: there is no such folder" % self.folder, done.stdout)
        self.assertEqual(done.returncode, 1)

    def test_the_line_is_the_one_that_says_the_address(self):
        self.e.write("two", self.ini("http = 127.0.0.1:%d" % self.port, "env = A=127.0.0.1:%d0" % self.port))
        self.assertIn("two.ini:4: ", self.e.wait_state("two", "backoff")["last_error"])

    def test_an_address_of_the_emperor_is_told_as_that(self):
        self.e.write("two", self.ini("http = :%d" % self.e.port))
        words = "the emperor (as shared port 127.0.0.1:%d) has this address" % self.e.port
        self.assertIn("two.ini:4: :%d: cannot bind: %s" % (self.e.port, words),
                      self.e.wait_state("two", "backoff")["last_error"])
        done = self.e.ctl_text("check", str(self.e.vassals / "two.ini"))
        self.assertIn("two.ini:4: http: :%d: %s\n" % (self.e.port, words), done.stdout)


if __name__ == "__main__":
    harness.main()
