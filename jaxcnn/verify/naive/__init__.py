"""The operations as loops in NumPy, written from their definitions and from nothing in jaxcnn: the forward's oracle.

`NAIVE[name](*arrays, **options)` takes what the rule's door takes, channels last, and so also what the door works out.
"""

from collections.abc import Callable
from typing import Any

from jaxcnn.verify.naive import activation, conv, layers, loss, norm, pad, pool, resize

MODULES = conv, pad, pool, resize, layers, norm, activation, loss
NAIVE: dict[str, Callable[..., Any]] = {loop.__name__: loop for module in MODULES for loop in module.LOOPS}
