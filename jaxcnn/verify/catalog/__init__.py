"""What the verifier knows of each operation: a folder for each family, three modules in each.

`naive` is the operation as loops in NumPy, `space` the shapes and options that it takes, `faults` wrong backward passes
of it. The modules of the same names beside the folders gather all families' in one table: `naive.NAIVE`,
`spaces.SPACES`, `faults.FAULTS`. What several families share stands beside them, in `windows` in the same three parts.
"""

from importlib import import_module
from types import ModuleType

FAMILIES = ("conv", "pad", "pool", "resize", "dense", "dropout", "norm", "activation", "loss")


def of_families(part: str) -> list[ModuleType]:
    """The modules `part` ("naive", "space" or "faults") of all families; imported now, since some import much."""
    return [import_module(f"{__name__}.{family}.{part}") for family in FAMILIES]
