"""The catalogue: wrong backward passes of every rule, which a verifier must tell from the right one.

One file a family; `generic` plants the mistakes that can be made anywhere in every registered rule.
"""

from jaxcnn.verify.catalog import edges
from jaxcnn.verify.faults import (
    activation,
    binary_cross_entropy,
    conv,
    conv_transpose,
    cross_entropy,
    example_norm,
    gate,
    generic,
    layers,
    local_norm,
    margin,
    norm,
    pad,
    pool,
    rectifier,
    regression,
    resize,
    unpool,
)
from jaxcnn.verify.faults.fault import Fault

__all__ = ["FAULTS", "Fault", "of_rule"]

# A rule's own mistakes first: they say more than the generic ones where both explain an error.
FAULTS: list[Fault] = [
    *conv.FAULTS,
    *conv_transpose.FAULTS,
    *pad.FAULTS,
    *pool.FAULTS,
    *resize.FAULTS,
    *unpool.FAULTS,
    *layers.FAULTS,
    *norm.FAULTS,
    *example_norm.FAULTS,
    *local_norm.FAULTS,
    *activation.FAULTS,
    *rectifier.FAULTS,
    *gate.FAULTS,
    *cross_entropy.FAULTS,
    *binary_cross_entropy.FAULTS,
    *regression.FAULTS,
    *margin.FAULTS,
    *generic.FAULTS,
    *edges.FAULTS,
]


def of_rule(rule: str) -> list[Fault]:
    """The faults of one rule, its own first."""
    return [fault for fault in FAULTS if fault.rule == rule]
