"""The table that drives the tests of every rule: arrays and options chosen to hurt.

A rule in `RULES` without a row in its family's file fails test_families.py.
"""

from tests.ops.cases import activation, conv, dense, dropout, loss, norm, pad, pool, resize

FAMILIES = [conv, pad, pool, resize, dense, dropout, norm, activation, loss]
CASES = [case for family in FAMILIES for case in family.CASES]
FIRST = {case.rule: case for case in reversed(CASES)}  # of each rule
