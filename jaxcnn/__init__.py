"""Convolutional networks in JAX as plain functions, every backward pass written by hand and proven."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxcnn import explain, kernels, layers, models, ops, verify
    from jaxcnn.interop import pretrained, weights
    from jaxcnn.train import model_folder

    backprop, summary = layers.backprop, layers.summary
    RULES, Rule, backward, rule = ops.RULES, ops.Rule, ops.backward, ops.rule
    load_model = model_folder.load_model
    load_pretrained = pretrained.load_pretrained
    load_weights = weights.load_weights

__all__ = [
    "RULES",
    "Rule",
    "backprop",
    "backward",
    "explain",
    "kernels",
    "layers",
    "load_model",
    "load_pretrained",
    "load_weights",
    "models",
    "ops",
    "rule",
    "summary",
    "verify",
]

# Where each name lives. It is imported when first asked for: pytest loads our plugin in every project that has jaxcnn
# installed, before that project's conftest.py can tell JAX how to start.
_HOMES = {
    **dict.fromkeys(["RULES", "Rule", "backward", "rule"], "jaxcnn.ops"),
    **dict.fromkeys(["backprop", "summary"], "jaxcnn.layers"),
    "load_model": "jaxcnn.train.model_folder",
    "load_pretrained": "jaxcnn.interop.pretrained",
    "load_weights": "jaxcnn.interop.weights",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'jaxcnn' has no attribute {name!r}; it has {', '.join(__all__)}")
    home = _HOMES.get(name)
    found = getattr(import_module(home), name) if home else import_module(f"jaxcnn.{name}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__
