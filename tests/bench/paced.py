"""Clients at a steady rate, each waiting for its own answers: PORT HOST PATH RATE SECONDS [CLIENTS]. Prints one line of JSON:
answers, failures by kind, and percentiles and maximum of the waits in milliseconds. Every other client makes a connection of
its own for each request."""

import asyncio
import collections
import json
import sys
import time


class Client:
    def __init__(self, port, host, path, keep):
        self.port, self.keep = port, keep
        self.request = ("GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n" % (path, host, "" if keep else "Connection: close\r\n")).encode()
        self.stream = None

    def drop(self):
        if self.stream:
            self.stream[1].close()
        self.stream = None

    async def ask(self):
        """Returns what was seen: 200, another status, or the name of the failure."""
        if not self.stream:
            self.stream = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self.stream
        writer.write(self.request)
        head = await reader.readuntil(b"\r\n\r\n")
        lower = head.lower()
        if b"\r\ncontent-length:" in lower:
            await reader.readexactly(int(lower.split(b"\r\ncontent-length:")[1].split(b"\r\n")[0]))
        elif b"chunked" in lower:
            while await reader.readuntil(b"\r\n") != b"0\r\n":
                await reader.readuntil(b"\r\n")  # pages are text: no chunk of ours holds a bare CRLF
            await reader.readuntil(b"\r\n")
        else:
            await reader.read()
            self.drop()
        if not self.keep or b"connection: close" in lower:
            self.drop()
        return int(head[9:12])


async def run(client, seen, waits, every, first, ends):
    at = first
    while at < ends:
        await asyncio.sleep(max(0, at - time.monotonic()))
        at += every
        began = time.monotonic()
        try:
            what = await asyncio.wait_for(client.ask(), 20)
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError) as e:
            client.drop()
            what = type(e).__name__
        seen[what] += 1
        if what == 200:
            waits.append(time.monotonic() - began)
    client.drop()


async def main(port, host, path, rate, seconds, clients=16):
    seen, waits = collections.Counter(), []
    begin = time.monotonic() + 0.1
    await asyncio.gather(*(
        run(Client(port, host, path, n % 2 == 0), seen, waits, clients / rate, begin + n / rate, begin + seconds)
        for n in range(clients)))
    waits.sort()
    at = lambda share: round(waits[min(int(len(waits) * share), len(waits) - 1)] * 1000, 2)
    print(json.dumps({"good": seen.pop(200, 0), "bad": seen, "p50": at(0.5), "p99": at(0.99), "max": at(1)}))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], sys.argv[3], *map(int, sys.argv[4:])))
