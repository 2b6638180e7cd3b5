"""The table that drives test_errors.py: an operation's bad input, under the name operation-mistake.

Each row is what is tried, and pieces that the message must hold: the argument, what was seen, the fix.
"""

from tests.ops.errors import activation, conv, dense, dropout, loss, norm, pad, pool, resize

FAMILIES = [conv, pad, pool, resize, dense, dropout, norm, activation, loss]
BAD = {name: row for family in FAMILIES for name, row in family.BAD.items()}
