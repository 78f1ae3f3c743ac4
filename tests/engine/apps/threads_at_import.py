import threading
import time

threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()


def application(environ, start_response):
    start_response("200 OK", [])
    return [b"served"]
