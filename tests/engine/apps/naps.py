"""Sleeps, or works, as many seconds as the query string says."""
import time


def application(environ, start_response):
    end = time.monotonic() + float(environ["QUERY_STRING"])
    if environ["PATH_INFO"] == "/work":
        while time.monotonic() < end:
            pass
    else:
        time.sleep(float(environ["QUERY_STRING"]))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"rested"]
