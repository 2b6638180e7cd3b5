"""A tree of parts as a network: combinators, and each layer's arrays under its name."""

from typing import Any

from jaxcnn.interop.onnx.tree import Fork, Leaf, Series
from jaxcnn.layers import Layer, Params, State, chain, concat, gated, residual

Built = tuple[Layer, Params, State]


def headed(parts: Series) -> Built:
    """The parts as a chain, of which the last one with weights and what follows is the head."""
    weighted = [place for place, part in enumerate(parts) if isinstance(part, Fork) or part.params]
    cut = weighted[-1] if len(weighted) > 1 and isinstance(parts[weighted[-1]], Leaf) else len(parts)
    before = [_built([part]) for part in parts[:cut]]
    return _assembled(chain, before, {"head": _built(parts[cut:])} if cut < len(parts) else {})


def _built(parts: Series) -> Built:
    """One layer of these parts, with its params and state."""
    if len(parts) != 1:
        return _assembled(chain, [_built([part]) for part in parts])
    (part,) = parts
    if isinstance(part, Leaf):
        assert isinstance(part.layer, Layer)
        return part.layer, part.params, part.state
    branches = [_built(branch) for branch in part.branches]
    match part.join:
        case "concat":
            return _assembled(concat, branches)
        case "multiply":
            return _assembled(gated, [], dict(zip(("body", "gate"), branches, strict=True)))
    order = sorted(range(len(branches)), key=lambda place: -_length(part.branches[place]))
    total, *shorter = (branches[place] for place in order)
    for shortcut in shorter:  # of two, and that again of more
        total = _assembled(residual, [], {"body": total, "shortcut": shortcut})
    return total


def _length(branch: Series) -> int:
    return sum(1 if isinstance(part, Leaf) else sum(map(_length, part.branches)) for part in branch)


def _assembled(combined: Any, unnamed: list[Built], named: dict[str, Built] | None = None) -> Built:
    """A combinator of layers, with the params and state of each under its name."""
    named = named or {}
    network = combined(*(layer for layer, *_ in unnamed), **{name: layer for name, (layer, *_) in named.items()})
    made = dict(zip((name for name, _ in network.parts), [*unnamed, *named.values()], strict=True))
    params, state = ({name: built[i] for name, built in made.items() if built[i]} for i in (1, 2))
    return network, params, state
