"""Answers with the NAME of its environment."""
import os


def application(environ, start_response):
    body = os.environ["NAME"].encode()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]
