"""Other frameworks: who they are, and how to have them. Nothing of theirs is imported until it is asked for."""

import importlib.util
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from jaxcnn.bench.peers.network import Node
from jaxcnn.bench.precision import Precision

__all__ = ["PACKAGES", "PEERS", "Peer", "installed"]


@dataclass(frozen=True)
class Peer:
    """A framework, or one of its ways to run: `package` is what Python imports, the name that `--peers` takes."""

    name: str
    package: str
    options: tuple[tuple[str, Any], ...] = ()

    def network(self, tree: Node, precision: Precision) -> Any:
        """The same network there: an object with `training(images, labels, ...)` and `answering(images)`.

        Raises `network.Untranslatable` where a layer has no equal.
        """
        return import_module(f"jaxcnn.bench.peers.{self.package}").network(tree, precision, **dict(self.options))


PEERS = (
    Peer("Flax NNX", "flax"),
    Peer("Equinox", "equinox"),
    Peer("Keras 3 on JAX", "keras"),
    Peer("PyTorch", "torch"),
    Peer("PyTorch compiled", "torch", (("compiled", True),)),
)

# By package: the command that installs it.
PACKAGES = {
    **dict.fromkeys(["flax", "equinox", "keras"], 'pip install "jaxcnn[peers]"'),
    "torch": "pip install torch --index-url https://download.pytorch.org/whl/cpu",
}


def installed(package: str) -> bool:
    """Whether it can be imported; it is not."""
    return importlib.util.find_spec(package) is not None
