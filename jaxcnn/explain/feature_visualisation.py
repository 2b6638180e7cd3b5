"""Feature visualisation: the picture to which a channel, or a class, answers most, found by ascent."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxcnn import ops
from jaxcnn.layers import Layer, Params, State, intermediates
from jaxcnn.layers.walk import known_path
from jaxcnn.ops.arguments import explained
from jaxcnn.ops.check import known_values, number, positive
from jaxcnn.ops.geometry import count, known, wrong
from jaxcnn.primitive import promoting


@explained
def feature_visualisation(
    network: Layer,
    params: Params,
    state: State,
    channel: ArrayLike,
    *,
    layer: str | None = None,
    place: tuple[int, int] | None = None,
    shape: tuple[int, int, int],
    key: Array,
    mean: ArrayLike = 0.0,
    std: ArrayLike = 1.0,
    steps: int = 256,
    learning_rate: float = 0.05,
    jitter: float = 0.05,
    scale: float = 0.1,
) -> Float[Array, "n h w c"]:
    """Pictures that make a channel of a layer's output large: Adam's ascent on its mean, or on its value at one place.

    A picture is the sigmoid of an inverse Fourier transform. Its coefficients are what is learned, those of a frequency
    f times 1 / f, so that a step changes all frequencies of natural pictures alike; they start near 0, at gray. At each
    step the network sees the picture shifted and scaled at random, and so no pattern counts that must lie on single
    pixels.

    Args:
      network, params, state: the network takes (pixels - mean) / std, pixels from 0 to 1.
      channel: an int, or (n,) for n pictures; of the logits, a class, where `layer` is None.
      layer: the path of a layer or block.
      place: (row, column) in its output, for a single unit there.
      shape: (h, w, c) of the pictures.
      key: what they start from and how they are moved, such as `jax.random.key(0)`.
      mean, std: numbers, or one for each channel.
      steps, learning_rate: Adam's.
      jitter: the largest shift along each axis, as a share of the picture.
      scale: the largest share by which it grows or shrinks.

    Returns: (n, h, w, c), from 0 to 1; n is 1 for a single channel.

    Raises: ValueError for an unknown layer, with the nearest name, for a channel or a place that it has not, and for
      other options that are not as above.

    Source: Erhan et al. 2009, "Visualizing higher-layer features of a deep network"; the parameters, the jitter and the
    scale are those of Olah, Mordvintsev & Schubert 2017, "Feature visualization".
    """
    owner = "feature_visualisation"
    sizes = _shape(owner, shape)
    if layer is not None:
        known_path(owner, "layer", network, layer)
    count(owner, "steps", steps)
    positive(owner, "learning_rate", learning_rate)
    for name, value in (("jitter", jitter), ("scale", scale)):
        number(owner, name, value, "a share, 0 or more and less than 1", lambda v: 0 <= v < 1)
    with promoting():
        output = _output(network, layer, params, state, jax.ShapeDtypeStruct((1, *sizes), jnp.float32))
        channels = _channels(owner, channel, layer, output.shape)
        at = _place(owner, place, layer, output.shape)
        colours = jnp.asarray(mean, jnp.float32), jnp.asarray(std, jnp.float32)
        motion = float(jitter), float(scale)
        ascent = (int(steps), float(learning_rate))
        return _ascend(network, layer, at, sizes, ascent, motion, params, state, channels, key, colours)


def _output(network: Layer, layer: str | None, params: Params, state: State, x: Any) -> Any:
    """The shape of what is looked at."""
    return jax.eval_shape(lambda x: _looked_at(network, layer, params, state, x), x)


def _looked_at(network: Layer, layer: str | None, params: Params, state: State, x: Array) -> Array:
    if layer is None:
        return network(params, state, x)
    return intermediates(network, params, state, x, [layer])[layer]


@functools.partial(jax.jit, static_argnums=range(6))
def _ascend(
    network: Layer,
    layer: str | None,
    place: tuple[int, int] | None,
    shape: tuple[int, int, int],
    ascent: tuple[int, float],
    motion: tuple[float, float],
    params: Params,
    state: State,
    channels: Array,
    key: Array,
    colours: tuple[Array, Array],
) -> Array:
    (steps, rate), (mean, std) = ascent, colours
    n = channels.shape[0]
    start, moves = jax.random.split(key)
    coefficients = 0.01 * jax.random.normal(start, (2, n, shape[0], shape[1] // 2 + 1, shape[2]))
    optimizer = optax.adam(rate)

    def objective(coefficients: Array, key: Array) -> Array:
        seen = (_moved(_picture(coefficients, shape), key, *motion) - mean) / std
        y = _looked_at(network, layer, params, state, seen)
        if y.ndim > 2:
            y = y.mean((1, 2)) if place is None else y[:, place[0], place[1]]
        return jnp.take_along_axis(y, channels[:, None], axis=1).sum()

    def step(carry: Any, key: Array) -> tuple[Any, None]:
        coefficients, memory = carry
        uphill = jax.grad(objective)(coefficients, key)
        update, memory = optimizer.update(-uphill, memory)
        return (coefficients + update, memory), None

    (coefficients, _), _ = jax.lax.scan(
        step, (coefficients, optimizer.init(coefficients)), jax.random.split(moves, steps)
    )
    return _picture(coefficients, shape)


def _picture(coefficients: Array, shape: tuple[int, int, int]) -> Array:
    """(n, h, w, c) from 0 to 1, of the real and imaginary parts (2, n, h, w // 2 + 1, c)."""
    height, width, _ = shape
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    weight = np.sqrt(height * width) / np.maximum(frequency, 1 / max(height, width)) / 4
    real, imaginary = coefficients * jnp.asarray(weight[:, :, None], coefficients.dtype)
    return jax.nn.sigmoid(jnp.fft.irfft2(real + 1j * imaginary, s=(height, width), axes=(1, 2)))


def _moved(pixels: Array, key: Array, jitter: float, scale: float) -> Array:
    """The pictures shifted and scaled, all alike, their borders mirrored."""
    by_shift, by_scale = jax.random.split(key)
    shift = 2 * jitter * jax.random.uniform(by_shift, (2, 1), minval=-1)  # the grid is 2 wide
    times = 1 + scale * jax.random.uniform(by_scale, minval=-1)
    theta = jnp.concatenate([times * jnp.eye(2), shift], axis=1)
    grid = ops.affine_grid(jnp.broadcast_to(theta, (len(pixels), 2, 3)), pixels.shape[1:3])
    return ops.grid_sample(pixels, grid, padding_mode="reflection")


def _shape(owner: str, shape: Any) -> tuple[int, int, int]:
    given = known(shape)
    if not isinstance(given, tuple) or len(given) != 3:
        raise wrong(owner, "shape", shape, "(h, w, c) of the pictures, such as (224, 224, 3)")
    height, width, channels = (count(owner, "shape", length) for length in given)
    return height, width, channels


def _channels(owner: str, channel: Any, layer: str | None, output: tuple[int, ...]) -> Array:
    """As (n,)."""
    where = "the network's output" if layer is None else f"layer {layer!r}"
    if len(output) not in (2, 4):
        raise ValueError(f"{owner}: {where} has shape {output}; expected (n, channels) or (n, h, w, channels).")
    expected = f"ints from 0 to {output[-1] - 1}, the channels of {where}"
    try:
        channels = jnp.asarray(channel)
    except (TypeError, ValueError):
        raise wrong(owner, "channel", channel, expected) from None
    if not jnp.issubdtype(channels.dtype, jnp.integer) or channels.ndim > 1:
        raise wrong(owner, "channel", channel, expected)
    values = known_values(channels)
    if values is not None and ((values < 0) | (values >= output[-1])).any():
        raise wrong(owner, "channel", channel, expected)
    return channels.reshape(-1)


def _place(owner: str, place: Any, layer: str | None, output: tuple[int, ...]) -> tuple[int, int] | None:
    if place is None:
        return None
    at = known(place)
    if len(output) != 4:
        raise ValueError(f"{owner}: place is {place!r}, and there are none in an output of shape {output}.")
    fits = isinstance(at, tuple) and len(at) == 2 and all(isinstance(i, int) for i in at)
    if not fits or not all(0 <= i < length for i, length in zip(at, output[1:3], strict=True)):
        raise wrong(owner, "place", place, f"(row, column) within {output[1:3]}, the output of layer {layer!r}")
    return at
