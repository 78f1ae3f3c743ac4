"""All cases of WSGI, in order, each with its group."""

import wsgi_bodies
import wsgi_environ
import wsgi_heads
import wsgi_input

GROUPS = [("environ", wsgi_environ), ("wsgi.input", wsgi_input), ("start_response", wsgi_heads), ("body", wsgi_bodies)]


def _named():
    for group, module in GROUPS:
        for c in module.CASES:
            c.group = group
            yield c


CASES = list(_named())
