"""Starts a thread on its first request, as connection pools and reporters do."""
import os
import threading
import time

started = []


def application(environ, start_response):
    if not started:
        thread = threading.Thread(target=time.sleep, args=(1000,), daemon=True)
        thread.start()
        started.append(os.getpid())
    start_response("200 OK", [])
    return [b"%d" % (started[0] == os.getpid())]
