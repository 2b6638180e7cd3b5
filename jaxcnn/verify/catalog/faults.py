"""Wrong backward passes of every rule, which a verifier must tell from the right one."""

from jaxcnn.verify.catalog import edges, generic, of_families
from jaxcnn.verify.catalog.fault import Fault

__all__ = ["FAULTS", "Fault", "of_rule"]

# A rule's own mistakes first: they say more than the generic ones where both explain an error.
FAULTS: list[Fault] = [
    *(fault for module in of_families("faults") for fault in module.FAULTS),
    *generic.FAULTS,
    *edges.FAULTS,
]


def of_rule(rule: str) -> list[Fault]:
    """The faults of one rule, its own first."""
    return [fault for fault in FAULTS if fault.rule == rule]
