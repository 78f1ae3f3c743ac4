"""All cases of WSGI, in order, each with its group."""

import wsgi_bodies
import wsgi_environ
import wsgi_heads
import wsgi_input
from groups import cases_of

GROUPS = [
    ("environ", wsgi_environ.CASES), ("wsgi.input", wsgi_input.CASES), ("start_response", wsgi_heads.CASES), ("body", wsgi_bodies.CASES),
]

CASES = cases_of(GROUPS)
