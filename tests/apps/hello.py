"""Smallest app; says who answered."""
import os


def application(environ, start_response):
    body = b"hello %d" % os.getpid()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
