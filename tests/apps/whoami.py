"""Answers with uid, gid and groups."""
import os


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [("%d %d %s" % (os.getuid(), os.getgid(), sorted(os.getgroups()))).encode()]
