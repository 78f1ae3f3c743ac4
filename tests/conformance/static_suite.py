"""All cases of files, in order, each with its group."""

import static_answers
import static_conditions
import static_names
from groups import cases_of

GROUPS = [
    ("conditions", static_conditions.CONDITIONS), ("ranges", static_conditions.RANGES), ("names", static_names.NAMES),
    ("containment", static_names.CONTAINMENT), ("methods", static_names.METHODS), ("fields", static_answers.FIELDS),
    ("codings", static_answers.CODINGS),
]

CASES = cases_of(GROUPS)
