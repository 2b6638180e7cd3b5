"""The catalogue: wrong backward passes of every rule, which a verifier must tell from the right one.

One file a family; `generic` plants the mistakes that can be made anywhere in every registered rule.
"""

from jaxcnn.verify.faults import activation, conv, generic, layers, loss, norm, pool, resize, unpool
from jaxcnn.verify.faults.fault import Fault

__all__ = ["FAULTS", "Fault", "of_rule"]

# A rule's own mistakes first: they say more than the generic ones where both explain an error.
FAULTS: list[Fault] = [
    *conv.FAULTS,
    *pool.FAULTS,
    *resize.FAULTS,
    *unpool.FAULTS,
    *layers.FAULTS,
    *norm.FAULTS,
    *activation.FAULTS,
    *loss.FAULTS,
    *generic.FAULTS,
]


def of_rule(rule: str) -> list[Fault]:
    """The faults of one rule, its own first."""
    return [fault for fault in FAULTS if fault.rule == rule]
