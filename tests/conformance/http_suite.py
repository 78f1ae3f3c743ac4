"""All cases, in order, each with its group."""

import cases_answers
import cases_chunks
import cases_connection
import cases_fields
import cases_host
import cases_length
import cases_limits
import cases_paths
import cases_protocols
import cases_request_line

GROUPS = [
    ("request line", cases_request_line), ("fields", cases_fields), ("Host", cases_host), ("length", cases_length),
    ("chunks", cases_chunks), ("connection", cases_connection), ("answers", cases_answers), ("paths", cases_paths),
    ("protocols", cases_protocols), ("limits", cases_limits),
]


def _named():
    for group, module in GROUPS:
        for c in module.CASES:
            c.group = group
            yield c


CASES = list(_named())
