"""Other protocols on an HTTP port (RFC 9110 7.8, RFC 9113 3): refused in words, or not switched to."""

from http_case import get, ok, refused

SWITCH = "9110 7.8"
KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"

CASES = [
    ok("h2c is not switched to", "9113 3.1", get(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"),
       b"REQUEST_METHOD='GET'", lacks=(b"HTTP/1.1 101",)),
    ok("TLS is not switched to", "2817 3", get(b"Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n"), lacks=(b"HTTP/1.1 101",)),
    refused("a WebSocket is not switched to", "6455 4.2", get(b"Connection: Upgrade\r\nUpgrade: websocket\r\n" + KEY), (501, 200, 400),
            lacks=(b"HTTP/1.1 101",)),
    ok("Upgrade without Connection", SWITCH, get(b"Upgrade: h2c\r\n"), lacks=(b"HTTP/1.1 101",)),
    ok("Connection: upgrade without Upgrade", SWITCH, get(b"Connection: upgrade\r\n"), lacks=(b"HTTP/1.1 101",)),
    ok("Upgrade with a body", SWITCH, b"POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nabc",
       b"BODY=b'abc'"),
    refused("the preface of HTTP/2", "9113 3.4", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (505, 400)),
    refused("the preface of HTTP/2 in pieces", "9113 3.4", [b"PRI * HT", b"TP/2.0\r\n\r\nSM\r\n\r\n"], (505, 400)),
    refused("a TLS hello", "8446 4", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 50),
    refused("an SSLv2 hello", "6101 E", b"\x80\x2e\x01\x03\x01" + b"\0" * 40),
    refused("SSH", "4253 4.2", b"SSH-2.0-OpenSSH_9.2\r\n"),
    refused("SMTP", "5321 4.1", b"EHLO a\r\n"),
    refused("a PROXY header that nobody asked for", "PROXY", b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"),
    refused("a PROXY header of version 2", "PROXY", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + b"\0" * 12),
    refused("a RTSP request", "9112 2.3", get(version=b"RTSP/1.0"), (400, 505)),
    refused("a FastCGI record", "FastCGI", b"\x01\x01\0\x01\0\x08\0\0\0\x01\0\0\0\0\0\0"),
    refused("a uwsgi packet", "uwsgi", b"\0\x20\0\0\x0e\0REQUEST_METHOD\x03\0GET"),
    refused("zeros", LINE := "9112 3", b"\0" * 64),
    refused("bytes of all values", LINE, bytes(range(255, -1, -1))),
]
