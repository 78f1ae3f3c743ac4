"""All cases of the protocols between a web server and an app, in order, each with its group."""

import cases_fastcgi_records
import cases_fastcgi_requests
import cases_scgi
import cases_uwsgi
from groups import cases_of

GROUPS = [
    ("FastCGI records", cases_fastcgi_records.CASES), ("FastCGI requests", cases_fastcgi_requests.CASES),
    ("SCGI", cases_scgi.CASES), ("uwsgi", cases_uwsgi.CASES),
]

CASES = cases_of(GROUPS)
