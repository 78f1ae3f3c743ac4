"""Answers with a file of the query's choice: ?X-Sendfile=/path&Status=...; anything else is "app" and the method."""

from urllib.parse import parse_qsl


def application(environ, start_response):
    fields = parse_qsl(environ["QUERY_STRING"], encoding="latin-1")
    status = dict(fields).get("Status", "200 OK")
    named = [(n, v) for n, v in fields if n != "Status"]
    if not named:
        start_response(status, [("Content-Type", "text/plain")])
        return [b"app " + environ["REQUEST_METHOD"].encode()]
    start_response(status, named)
    return [b"not this"]
