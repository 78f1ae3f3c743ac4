"""The app of the WSGI suite: the case that X-Case names answers, through wsgiref.validate if X-Validate says so."""

from wsgiref.validate import validator

import wsgi_suite

VALIDATED = [validator(case.app) for case in wsgi_suite.CASES]


def application(environ, start_response):
    number = environ.get("HTTP_X_CASE")
    if number is None:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
        return [b"probe"]
    if "HTTP_X_VALIDATE" in environ:
        return VALIDATED[int(number)](environ, start_response)
    return wsgi_suite.CASES[int(number)].app(environ, start_response)
