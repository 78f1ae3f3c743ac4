"""Answers with the file that the query names, in wsgi.file_wrapper; without a query it says "app" and the method."""


def application(environ, start_response):
    path = environ["QUERY_STRING"]
    if path:
        file = open(path, "rb")  # before the status: what is not there is a 500
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return environ["wsgi.file_wrapper"](file)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"app " + environ["REQUEST_METHOD"].encode()]
