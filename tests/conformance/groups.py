"""What the suites are made of: groups of cases, in order."""


def cases_of(groups):
    """All cases, each told its group. groups: (name, list of cases)."""
    cases = []
    for group, of_group in groups:
        for c in of_group:
            c.group = group
        cases += of_group
    return cases
