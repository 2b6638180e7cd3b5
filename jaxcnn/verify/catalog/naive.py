"""The operations as loops in NumPy, written from their definitions and from nothing in jaxcnn: the forward's oracle.

`NAIVE[name](*arrays, **options)` takes what the rule's door takes, channels last, and so also what the door works out.
"""

from collections.abc import Callable
from typing import Any

from jaxcnn.verify.catalog import of_families

NAIVE: dict[str, Callable[..., Any]] = {loop.__name__: loop for module in of_families("naive") for loop in module.LOOPS}
