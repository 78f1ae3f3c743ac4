"""All cases of the protocols between a web server and an app, in order, each with its group."""

import cases_fastcgi_records
import cases_fastcgi_requests
import cases_scgi
import cases_uwsgi

GROUPS = [
    ("FastCGI records", cases_fastcgi_records), ("FastCGI requests", cases_fastcgi_requests), ("SCGI", cases_scgi), ("uwsgi", cases_uwsgi),
]


def _named():
    for group, module in GROUPS:
        for c in module.CASES:
            c.group = group
            yield c


CASES = list(_named())
