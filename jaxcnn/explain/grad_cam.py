"""Grad-CAM and Grad-CAM++: which places of a layer speak for the class."""

from collections.abc import Iterator
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from jaxcnn.explain.scores import Classes, explanation, scores, slopes
from jaxcnn.layers import Layer, Params, State, intermediates
from jaxcnn.layers.combine import Chain
from jaxcnn.layers.shape import AdaptivePool, Pool
from jaxcnn.layers.walk import Around, Path, known_path, rebuilt


@explanation("layer")
def grad_cam(
    network: Layer,
    params: Params,
    state: State,
    x: Float[Array, "n h w c"],
    classes: Classes = None,
    *,
    layer: str | None = None,
) -> Float[Array, "n i j"]:
    """L = max(0, Σ_c α_c A_c): the channels A_c of a layer's output, weighed by how much each one moves the logit.

    α_c is the mean of ∂y_k / ∂A_c over all places. Where a network ends in global average pooling and a dense layer,
    and the layer is the one before, this is its class activation map (Zhou et al. 2016), over the number of places.

    Args:
      network, params, state, x: `network(params, state, x)` are logits y (n, classes), in evaluation.
      classes: k, one for all pictures or (n,); by default each picture's top class.
      layer: its path, such as "block4_2/body/conv2", or a block's. By default the last one before the pooling whose
        output has more than one place.

    Returns: for each picture the map, of the size of that layer's output; `overlay` lays it over the picture.

    Raises: ValueError for an unknown layer, with the nearest name, for one whose output has no places, and what
      `saliency` raises.

    Source: Selvaraju et al. 2017, "Grad-CAM", equations 1 and 2.
    """
    a, da = _activations("grad_cam", network, params, state, x, classes, layer)
    weights = da.mean((1, 2), keepdims=True)
    return jnp.maximum((weights * a).sum(-1), 0)


@explanation("layer")
def grad_cam_plus_plus(
    network: Layer,
    params: Params,
    state: State,
    x: Float[Array, "n h w c"],
    classes: Classes = None,
    *,
    layer: str | None = None,
) -> Float[Array, "n i j"]:
    """Grad-CAM whose weights count the places that speak for the class, so that several objects show alike.

    With g = ∂y_k / ∂A_c at a place, w_c = Σ α max(0, g) over all places, and there

        α = g² / (2 g² + g³ Σ A_c),

    the Σ again over all places; α is 0 where g is. This is the paper's for exp(y_k) as the score, whose derivatives
    are exp(y_k) times g, g² and g³ where the network above the layer is piecewise linear; the factor exp(y_k), one for
    the whole map, is left out.

    Arguments, result and errors are those of `grad_cam`.

    Source: Chattopadhyay et al. 2018, "Grad-CAM++", section 3.
    """
    a, da = _activations("grad_cam_plus_plus", network, params, state, x, classes, layer)
    # g² is cancelled, so that small gradients do not vanish in half precision.
    below = 2 + da * a.sum((1, 2), keepdims=True)
    alpha = jnp.where((da == 0) | (below == 0), 0, 1 / jnp.where(below == 0, 1, below))
    weights = (alpha * jnp.maximum(da, 0)).sum((1, 2), keepdims=True)
    return jnp.maximum((weights * a).sum(-1), 0)


def _activations(
    owner: str, network: Layer, params: Params, state: State, x: Array, classes: Array, layer: str | None
) -> tuple[Array, Array]:
    """A layer's output A (n, i, j, c), and the gradient of each picture's score with respect to it."""
    if layer is None:
        layer = last_with_places(owner, network, params, state, x)
    known_path(owner, "layer", network, layer)
    a = intermediates(network, params, state, x, [layer])[layer]
    if a.ndim != 4:
        raise ValueError(
            f"{owner}: layer is {layer!r}, whose output has shape {a.shape}; expected one with places, (n, h, w, c), "
            f"such as {last_with_places(owner, network, params, state, x)!r}."
        )

    def above(a: Array) -> Array:
        """The scores as a function of that output: what lies below it is computed in vain, and dropped by XLA."""

        def given(path: Path, inner: Layer) -> Layer:
            return _Given(inner, a) if "/".join(path) == layer else inner

        return scores(rebuilt(network, given), params, state, x, classes)

    return a, slopes(above, a)


@dataclass(frozen=True, repr=False)
class _Given(Around):
    """A layer whose output is this array."""

    output: Array

    def __post_init__(self) -> None:
        """Without what makes options hashable: it would copy the array."""

    def apply(
        self, params: Params, state: State, x: Array, *, train: bool = False, key: Array | None = None
    ) -> tuple[Array, State]:
        return self.output, {}


def last_with_places(owner: str, network: Layer, params: Params, state: State, x: Array) -> str:
    """The path of the last layer, or block, that is no pooling and whose output has more than one place."""
    steps = ["/".join(path) for path, layer in _steps(network) if not isinstance(layer, Pool | AdaptivePool)]
    outputs = jax.eval_shape(lambda x: intermediates(network, params, state, x, steps), x)
    several = [path for path in steps if len(s := outputs[path].shape) == 4 and s[1:3] != (1, 1)]
    if not several:
        raise ValueError(
            f"{owner}: layer is None, and for x of shape {x.shape} no layer before the pooling has an output with more "
            "than one place; name a layer, or take larger pictures."
        )
    return several[-1]


def _steps(network: Layer, path: Path = ()) -> Iterator[tuple[Path, Layer]]:
    """What a network does one after another: chains part by part, blocks with branches as one."""
    if isinstance(network, Chain):
        for name, part in network.parts:
            yield from _steps(part, (*path, name))
    elif path:
        yield path, network
