"""scripts/bench: us and our peers in turn, medians, ratios, and the limits that we promise."""

import argparse
import contextlib
import json
import os
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time

import servers
from servers import APPS

failures = []


def promise(text, value, limit, unit=""):
    good = value <= limit
    print("  %-62s %8.2f%s  (at most %g)  %s" % (text, value, unit, limit, "ok" if good else "MISSED"), flush=True)
    if not good:
        failures.append(text)


def wrk(port, path="/", host="localhost", connections=64, seconds=3, close=False, script=None):
    """Runs wrk; returns (requests, errors, requests per second)."""
    argv = ["wrk", "-t1", "-c%d" % connections, "-d%ds" % seconds, "-H", "Host: " + host]
    if close:
        argv += ["-H", "Connection: close"]
    if script:
        argv += ["-s", os.path.join(os.path.dirname(__file__), script)]
    out = subprocess.run(argv + ["http://127.0.0.1:%d%s" % (port, path)], capture_output=True, text=True).stdout
    requests = int(re.search(r"(\d+) requests in", out).group(1))
    errors = sum(int(n) for n in re.findall(r"(?:connect|read|write|timeout) (\d+)", out))
    errors += sum(int(n) for n in re.findall(r"Non-2xx or 3xx responses: (\d+)", out))
    return requests, errors, float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))


def cpu_per_request(server, port=None, **kw):
    """Microseconds of CPU, of all processes of the server, kernel included."""
    pids = server.pids()
    before = server.cpu_s(pids)
    requests, errors, _ = wrk(port or server.port, host=server.host, **kw)
    used = server.cpu_s(pids) - before
    if errors and server.name != "uwsgi":  # it closes without saying so, which wrk counts as errors
        print("  note: %d errors of %s" % (errors, server.name))
    return used * 1e6 / max(requests, 1)


def in_turn(arguments, measured):
    """measured: name -> function. Interleaves rounds; returns name -> median, and says them."""
    samples = {name: [] for name in measured}
    for _ in range(arguments.rounds):
        for name, measure in measured.items():
            samples[name].append(measure())
    return medians_of(samples)


def medians_of(samples):
    """Says them, and between what they lie."""
    medians = {name: statistics.median(values) for name, values in samples.items()}
    for name, values in samples.items():
        print("  %-40s %8.1f us CPU per request   (%.1f .. %.1f)" % (name, medians[name], min(values), max(values)))
    return medians


@contextlib.contextmanager
def running(*started):
    try:
        yield started
    finally:
        for server in started:
            server.stop()


def section_hello(a):
    with running(servers.vassal("hello"), servers.uwsgi("hello"), servers.gunicorn("hello")) as (us, uwsgi, gunicorn):
        m = in_turn(a, {
            "vassal": lambda: cpu_per_request(us, seconds=a.seconds),
            "uwsgi http-socket": lambda: cpu_per_request(uwsgi, seconds=a.seconds),
            "gunicorn sync": lambda: cpu_per_request(gunicorn, seconds=a.seconds)})
    promise("hello, keep-alive, 64 connections: us / uwsgi", m["vassal"] / m["uwsgi http-socket"], 0.36)


def section_connection(a):
    with running(servers.vassal("hello"), servers.uwsgi("hello")) as (us, uwsgi):
        m = in_turn(a, {
            "vassal": lambda: cpu_per_request(us, seconds=a.seconds, close=True),
            "uwsgi http-socket": lambda: cpu_per_request(uwsgi, seconds=a.seconds, close=True)})
    promise("hello, a connection per request: us / uwsgi", m["vassal"] / m["uwsgi http-socket"], 1.05)


def section_gate(a):
    with running(servers.emperor("hello")) as (us,):
        m = in_turn(a, {
            "own address, keep-alive": lambda: cpu_per_request(us, us.own_port, seconds=a.seconds),
            "through the gate, keep-alive": lambda: cpu_per_request(us, seconds=a.seconds),
            "own address, connection each": lambda: cpu_per_request(us, us.own_port, seconds=a.seconds, close=True),
            "through the gate, connection each": lambda: cpu_per_request(us, seconds=a.seconds, close=True)})
    promise("keep-alive through the gate / own address",
            m["through the gate, keep-alive"] / m["own address, keep-alive"], 1.1)
    promise("a connection through the gate costs more by",
            m["through the gate, connection each"] - m["own address, connection each"], 25, " us")


def _app(a, app, connections=16):
    path = APPS[app][3]
    with running(servers.vassal(app), servers.uwsgi(app), servers.gunicorn(app)) as (us, uwsgi, gunicorn):
        m = in_turn(a, {
            "vassal": lambda: cpu_per_request(us, path=path, connections=connections, seconds=a.seconds),
            "uwsgi http-socket": lambda: cpu_per_request(uwsgi, path=path, connections=connections, seconds=a.seconds),
            "gunicorn sync": lambda: cpu_per_request(gunicorn, path=path, connections=connections,
                                                     seconds=a.seconds)})
    promise("%s, 1 worker: us / uwsgi" % app, m["vassal"] / m["uwsgi http-socket"], 0.92)


def section_django(a):
    _app(a, "django")


def section_flask(a):
    _app(a, "flask")


def _bodies(a, app, text, script=None):
    """The best peer is the one that costs least in this very run."""
    path = APPS[app][3]
    with running(servers.vassal(app), servers.uwsgi(app), servers.gunicorn(app)) as started:
        names = ["vassal", "uwsgi http-socket", "gunicorn sync"]
        m = in_turn(a, {name: lambda s=s: cpu_per_request(s, path=path, connections=16, seconds=a.seconds, script=script)
                        for name, s in zip(names, started)})
    promise(text + ": us / the best peer", m["vassal"] / min(m[n] for n in names[1:]), 1.0)


def section_post(a):
    _bodies(a, "post", "POST of 64 KiB, echoed, 16 connections", "post.lua")


def section_stream(a):
    _bodies(a, "stream", "100 pieces of 10 KiB, length unknown, 16 connections")


def _exactly(port, path, total, connections=8, host="localhost"):
    """total requests, spread over a few clients; returns failures."""
    failed = []

    def client(count):
        for _ in range(count):
            try:
                if servers.get(port, path, host) != 200:
                    failed.append(1)
            except OSError:
                failed.append(1)

    threads = [threading.Thread(target=client, args=(total // connections,)) for _ in range(connections)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return len(failed)


def section_memory(a):
    us = servers.emperor("django", workers=4, extra="warmup = /")
    with running(us, servers.uwsgi("django", 4), servers.gunicorn("django", 4, "--preload")) as (us, uwsgi, gunicorn):
        total = {}
        for server in (us, uwsgi, gunicorn):
            failed = _exactly(server.port, "/", 2000, host=server.host)
            if failed:
                failures.append("memory: %d failed requests of %s" % (failed, server.name))
        titles = us.titles()
        roles = [p for p, t in titles.items() if t.startswith("emperor") or "/emperor " in t]
        fronts = [p for p, t in titles.items() if t.startswith("vassal")]
        for server in (us, uwsgi, gunicorn):
            # the app's own processes: the emperor and its roles are shared by all apps and stand apart below
            pids = [p for p in server.pids() if server is not us or p not in roles]
            total[server.name] = server.pss_kib(pids) / 1024
            print("  %-40s %8.1f MiB PSS in %d processes" % (server.name, total[server.name], len(pids)))
        for pid, title in sorted(titles.items()):
            print("    %-38s %8.1f MiB PSS" % (title[:38], servers.pss_of(pid) / 1024))
        promise("Django, 4 workers, 2,000 requests: PSS us / uwsgi", total["emperor"] / total["uwsgi"], 0.7)
        promise("the same: us / gunicorn --preload", total["emperor"] / total["gunicorn"], 0.999)
        promise("a front's PSS", us.pss_kib(fronts) / 1024 / max(len(fronts), 1), 2, " MiB")
        promise("emperor, gate and stats together", us.pss_kib(roles) / 1024, 8, " MiB")


class Drip(threading.Thread):
    """200 clients that send a byte a second, in the head or after the head."""

    def __init__(self, port, host, kind, count=200):
        super().__init__(daemon=True)
        self.stop = threading.Event()
        self.sockets = []
        self.kind = kind
        for _ in range(count):
            s = socket.create_connection(("127.0.0.1", port))
            if kind == "head":
                s.sendall(b"GET / HTTP/1.1\r\nHost: %s\r\nX-Slow: " % host.encode())
            else:
                s.sendall(b"POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: 100000\r\n\r\nx" % host.encode())
            self.sockets.append(s)

    def run(self):
        while not self.stop.wait(1):
            for s in self.sockets:
                with contextlib.suppress(OSError):
                    s.sendall(b"x")

    def end(self):
        self.stop.set()
        self.join()
        for s in self.sockets:
            s.close()


def section_slow(a):
    with running(servers.emperor("hello", workers=2)) as (us,):
        alone, head, body = [], [], []
        for _ in range(a.rounds):
            alone.append(wrk(us.port, host=us.host, connections=16, seconds=a.seconds)[2])
            for kind, into in (("head", head), ("body", body)):
                drip = Drip(us.port, us.host, kind)
                drip.start()
                into.append(wrk(us.port, host=us.host, connections=16, seconds=a.seconds)[2])
                drip.end()
        noise = (max(alone) - min(alone)) / statistics.median(alone)
        print("  alone %.0f/s, with slow heads %.0f/s, with stalled bodies %.0f/s (alone varies by %.0f %%)" % (
            statistics.median(alone), statistics.median(head), statistics.median(body), noise * 100))
        limit = 1 + max(noise, 0.15)
        promise("throughput alone / with 200 slow heads", statistics.median(alone) / statistics.median(head), limit)
        promise("throughput alone / with 200 stalled bodies", statistics.median(alone) / statistics.median(body), limit)


def section_many(a):
    folder = APPS["hello"][0]
    with running(servers.emperor()) as (us,):
        started = time.monotonic()
        for n in range(100):
            (us.vassals / ("app%d.ini" % n)).write_text(
                "[vassal]\ndomain = app%d.test\nchdir = %s\nmodule = hello\n" % (n, folder))
        for n in range(100):
            us.wait(host="app%d.test" % n, seconds=120)
        print("  100 apps dropped at once: all answer after %.1f s" % (time.monotonic() - started))
        print("  PSS of everything: %.1f MiB" % (us.pss_kib() / 1024))
        titles = us.titles()
        roles = [p for p, t in titles.items() if t.startswith("emperor") or "/emperor " in t]
        time.sleep(3)
        before_all, before = us.cpu_s(), us.cpu_s(roles)
        time.sleep(20)
        promise("emperor, gate and stats idle with 100 apps", (us.cpu_s(roles) - before) / 20 * 100, 0.5, " % of a core")
        print("  everything idle: %.2f %% of a core" % ((us.cpu_s() - before_all) / 20 * 100))


def _under_load(us, action, seconds=30):
    result = []
    load = threading.Thread(target=lambda: result.append(wrk(us.port, host=us.host, connections=16, seconds=seconds)))
    closing = []
    load2 = threading.Thread(
        target=lambda: closing.append(wrk(us.port, host=us.host, connections=4, seconds=seconds, close=True)))
    load.start()
    load2.start()
    action()
    load.join()
    load2.join()
    return result[0][0] + closing[0][0], result[0][1] + closing[0][1]


def section_reload(a):
    with running(servers.emperor("hello", workers=2)) as (us,):
        def ten_reloads():
            for _ in range(10):
                time.sleep(2.5)
                os.utime(us.vassals / "app.ini")

        requests, errors = _under_load(us, ten_reloads)
        print("  %d requests" % requests)
        promise("failed requests in 10 reloads under load", errors, 0)


def section_recycle(a):
    with running(servers.emperor("hello", workers=2, extra="max-requests = 1000")) as (us,):
        requests, errors = _under_load(us, lambda: None)
        print("  %d requests" % requests)
        promise("failed requests with max-requests = 1000", errors, 0)


def _first_page_ms(server, path, asleep):
    """From connect to the last byte, of an app that is not there."""
    deadline = time.monotonic() + 30
    while not asleep():
        if time.monotonic() > deadline:
            raise SystemExit("%s does not go to sleep:\n%s" % (server.name, server.output()[-3000:]))
        time.sleep(0.05)
    time.sleep(server.settle_s)  # what the last process leaves behind is not part of the next start
    started = time.monotonic()
    if servers.get(server.port, path, server.host, timeout=30) != 200:
        failures.append("wake: %s answers an error" % server.name)
    return (time.monotonic() - started) * 1000


def section_wake(a):
    for app in ("django", "flask"):
        path = APPS[app][3]
        us = servers.emperor(app, extra="sleep-after = 1")
        with running(us, servers.uwsgi_on_demand(app)) as (us, uwsgi):
            gone = {"emperor": lambda: not any(t.startswith(("vassal", "app ")) for t in us.titles().values()),
                    "uwsgi": lambda: len(uwsgi.pids()) == 1}
            took = {server.name: [] for server in (us, uwsgi)}
            for _ in range(a.rounds):
                for server in (us, uwsgi):
                    took[server.name].append(_first_page_ms(server, path, gone[server.name]))
            for name, values in took.items():
                print("  %-40s %8.1f ms to the first page   (%.1f .. %.1f)" % (
                    name, statistics.median(values), min(values), max(values)))
            promise("%s from sleep, first page: us / uwsgi on demand" % app,
                    statistics.median(took["emperor"]) / statistics.median(took["uwsgi"]), 0.85)


def section_nap(a):
    """The workers are gone, the imported app is there."""
    path = APPS["django"][3]
    for name, extra in (("as it is", ""), ("warmup = /", "warmup = /\n")):
        with running(servers.emperor("django", extra=extra + "idle = 1")) as (us,):
            us.settle_s = 0.5

            def naps():
                titles = us.titles().values()
                return any(t.startswith("app mold") for t in titles) and not any(t.startswith("app worker") for t in titles)

            took = [_first_page_ms(us, path, naps) for _ in range(a.rounds)]
            print("  %-40s %8.1f ms to the first page   (%.1f .. %.1f)" % (name, statistics.median(took), min(took), max(took)))
            promise("django from a nap, first page, " + name, statistics.median(took), 20, " ms")


def section_sleeping(a):
    folder = APPS["hello"][0]
    with running(servers.emperor()) as (us,):
        time.sleep(1)
        empty = us.pss_kib() / 1024
        for n in range(200):
            (us.vassals / ("app%d.ini" % n)).write_text(
                "[vassal]\ndomain = app%d.test\nchdir = %s\nmodule = hello\non-demand = true\n" % (n, folder))
        us.wait(host="app199.test", seconds=60)
        emperor = [us.process.pid]
        roles = [p for p, t in us.titles().items() if t.startswith("emperor") or "/emperor " in t]
        time.sleep(3)
        before, before_all = us.cpu_s(emperor), us.cpu_s(roles)
        time.sleep(10)
        full = us.pss_kib(roles) / 1024
        print("  PSS of the emperor and its roles: %.1f MiB without apps, %.1f MiB with 200" % (empty, full))
        promise("200 sleeping apps: the emperor's PSS in all", us.pss_kib(emperor) / 1024, 10, " MiB")
        promise("200 sleeping apps cost the emperor and its roles", full - empty, 10, " MiB")
        promise("200 sleeping apps: the emperor's CPU", (us.cpu_s(emperor) - before) / 10 * 100, 0.1, " % of a core")
        promise("the same, with gate and stats", (us.cpu_s(roles) - before_all) / 10 * 100, 0.1, " % of a core")


def _paced(server, path, seconds, rate=350, action=None):
    """A steady load in a process of its own, and what is done meanwhile: action(seconds since the start) 20 times a second."""
    argv = [sys.executable, "-B", os.path.join(os.path.dirname(__file__), "paced.py"), str(server.port), server.host, path,
            str(rate), str(seconds)]
    client = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    started = time.monotonic()
    while client.poll() is None:
        if action:
            action(time.monotonic() - started)
        time.sleep(0.05)
    return json.loads(client.stdout.read())


class Every:
    """Calls fn once in so many seconds."""

    def __init__(self, seconds, fn):
        self.seconds, self.fn, self.next = seconds, fn, seconds

    def __call__(self, now):
        if now >= self.next:
            self.next += self.seconds
            self.fn()


def section_wait(a):
    path = APPS["django"][3]
    us = servers.emperor("django", workers=2, extra="max-requests = 500")
    touch = us.folder / "touch"
    touch.write_text("")
    uwsgi = servers.uwsgi("django", 2, "--max-requests", "500", "--touch-reload", str(touch))
    with running(us, uwsgi):
        longest = {}
        print("  undisturbed, longest wait here and now: %.0f ms" % _paced(us, path, 8)["max"])
        for server, file in ((us, us.vassals / "app.ini"), (uwsgi, touch)):
            seen = [_paced(server, path, 8, action=Every(3, lambda file=file: os.utime(file))) for _ in range(min(a.rounds, 3))]
            longest[server.name] = statistics.median(s["max"] for s in seen)
            print("  %-40s longest waits %s ms, %d answers, not 200: %s" % (
                server.name, ", ".join("%.0f" % s["max"] for s in seen), sum(s["good"] for s in seen),
                {k: n for s in seen for k, n in s["bad"].items()}))
            if server is us:
                promise("requests lost across reload and max-requests", sum(n for s in seen for n in s["bad"].values()), 0)
        promise("longest wait across reload and max-requests (Django, 350/s)", longest["emperor"], 100, " ms")
        print("  uWSGI / us: %.1f" % (longest["uwsgi"] / longest["emperor"]))


def section_chaos(a):
    path = APPS["django"][3]
    us = servers.emperor("django", workers=2, extra="max-requests = 500")
    kills = []

    def kill_worker():
        workers = [p for p, t in servers.ours().items() if re.match("app worker", t)]
        if workers:
            kills.append(random.choice(workers))
            with contextlib.suppress(ProcessLookupError):
                os.kill(kills[-1], signal.SIGKILL)

    def kill_emperor():
        us.process.kill()
        us.process.wait()
        us.start_again()

    with running(us):
        quiet = _paced(us, path, min(a.chaos, 20))
        acts = (Every(3, lambda: os.utime(us.vassals / "app.ini")), Every(1, kill_worker), Every(10, kill_emperor))
        seen = _paced(us, path, a.chaos, action=lambda now: [act(now) for act in acts])
        print("  undisturbed: p50 %(p50).1f ms, p99 %(p99).1f ms, longest %(max).0f ms" % quiet)
        print("  disturbed:   p50 %(p50).1f ms, p99 %(p99).1f ms, longest %(max).0f ms; %(good)d answers, not 200: %(bad)s" % seen)
        promise("failed requests (%d workers killed in %d s)" % (len(kills), a.chaos), sum(seen["bad"].values()), len(kills))
        promise("p99 disturbed / undisturbed", seen["p99"] / quiet["p99"], 3)


def section_static(a):
    sizes = {"1 KiB": 1024, "1 MiB": 1 << 20}
    folder = servers.files(sizes.values())
    with running(servers.vassal("hello", 1, "--static-map", "/s=%s" % folder), servers.nginx(folder)) as (us, nginx):
        for name, size in sizes.items():
            path = "/s/%d.bin" % size
            m = in_turn(a, {"vassal, " + name: lambda: cpu_per_request(us, path=path, connections=16, seconds=a.seconds),
                            "nginx, " + name: lambda: cpu_per_request(nginx, path=path, connections=16, seconds=a.seconds)})
            # at least 0.6 of nginx's requests per second of CPU for small files, 0.9 for large ones
            promise("a file of %s: us / nginx" % name, m["vassal, " + name] / m["nginx, " + name], 1.67 if size < 4096 else 1.11)


def through_nginx(a, app, workers, us_first):
    """Ours and uWSGI's: the CPU of nginx and of who stands behind it, by servers that nobody has measured before."""
    def both(front, peer):
        pids = [*front.pids(), *peer.pids()]
        used = peer.cpu_s(pids)
        requests, errors, _ = wrk(front.port, path=servers.APPS[app][3], seconds=a.seconds)
        if errors:
            print("  note: %d errors through nginx to %s" % (errors, peer.name))
        return (peer.cpu_s(pids) - used) * 1e6 / max(requests, 1)

    with running(servers.at_socket("vassal", app, workers), servers.at_socket("uwsgi", app, workers)) as peers:
        with running(*(servers.nginx_before(peer) for peer in peers)) as fronts:
            for front in fronts:
                wrk(front.port, path=servers.APPS[app][3], seconds=1)
            found = [both(front, peer) for front, peer in list(zip(fronts, peers))[::1 if us_first else -1]]
            return found if us_first else found[::-1]


def section_nginx(a):
    """What an installation that exists gains by changing what stands behind its nginx: the CPU of both.

    Each round has servers of its own: where the memory of one lies makes as much of a difference as what is measured. And
    its two stand beside each other, in turn the one and the other first: what the machine does meanwhile changes by more
    than what is measured, so the ratio is that of each round.
    Beside frameworks, and several processes as one runs them, the least that there is: an app that does nothing, in one
    process. There nginx and the kernel are nearly all of it, and who needs no second process for the network has less.
    """
    for app, workers, most in (("hello", 1, None), ("hello", 4, 0.9), ("flask", 1, 0.9), ("flask", 4, 0.9), ("django", 4, 0.9)):
        rounds = [through_nginx(a, app, workers, i % 2 == 0) for i in range(a.rounds)]
        names = ["%s, %d, nginx and %s" % (app, workers, name) for name in ("vassal", "uwsgi")]
        medians_of(dict(zip(names, zip(*rounds))))
        ratio = statistics.median(us / uwsgi for us, uwsgi in rounds)
        what = "%s by nginx's uwsgi_pass, %d process%s: with us / with uwsgi" % (app, workers, "es" if workers > 1 else "")
        if most:
            promise(what, ratio, most)
        else:
            print("  %-50s %10.2f  (not promised)" % (what, ratio))


SECTIONS = ["hello", "connection", "gate", "nginx", "static", "django", "flask", "post", "stream", "memory", "slow", "many", "reload", "recycle", "wake", "nap",
            "sleeping", "wait", "chaos"]


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--chaos", type=int, default=60, help="seconds of the section chaos")
    parser.add_argument("sections", nargs="*", choices=[[], *SECTIONS], default=[])
    arguments = parser.parse_args()
    for name in arguments.sections or SECTIONS:
        print(name, flush=True)
        globals()["section_" + name](arguments)
    if failures:
        print("missed: " + "; ".join(failures))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
