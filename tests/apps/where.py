"""Answers with NAME, PATH_INFO and SCRIPT_NAME."""
import os


def application(environ, start_response):
    body = ("%s|%s|%s" % (os.environ["NAME"], environ["PATH_INFO"], environ["SCRIPT_NAME"])).encode("latin-1")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]
