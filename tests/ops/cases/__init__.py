"""The table that drives the tests of every rule: arrays and options chosen to hurt.

A rule in `RULES` without a row here fails `test_rules.py::test_every_rule_has_cases_and_a_naive_loop`.
"""

from tests.ops.cases import activation, conv, layers, loss, pad, pool, resize

CASES = [*conv.CASES, *pad.CASES, *pool.CASES, *resize.CASES, *layers.CASES, *activation.CASES, *loss.CASES]
