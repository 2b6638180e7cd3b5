"""The table that drives test_errors.py: an operation's bad input, under the name operation-mistake.

Each row is what is tried, and pieces that the message must hold: the argument, what was seen, the fix.
"""

from tests.ops.errors import activation, conv, layers, loss, norm, pool, shape

BAD = conv.BAD | pool.BAD | shape.BAD | norm.BAD | layers.BAD | activation.BAD | loss.BAD
