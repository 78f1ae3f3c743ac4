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
from groups import cases_of

GROUPS = [
    ("request line", cases_request_line.CASES), ("fields", cases_fields.CASES), ("Host", cases_host.CASES), ("length", cases_length.CASES),
    ("chunks", cases_chunks.CASES), ("connection", cases_connection.CASES), ("answers", cases_answers.CASES), ("paths", cases_paths.CASES),
    ("protocols", cases_protocols.CASES), ("limits", cases_limits.CASES),
]

CASES = cases_of(GROUPS)
