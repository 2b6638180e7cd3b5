"""Layers around a layer that learns a kernel, and that work with one made of it: weight and spectral normalisation."""

from abc import abstractmethod
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import jax
import jax.numpy as jnp
from jax import Array, ShapeDtypeStruct, lax

from jaxcnn import ops
from jaxcnn.layers.base import Layer, Params, State, described, fold
from jaxcnn.layers.describe import Field
from jaxcnn.layers.linear import ConvTranspose, channels_swapped
from jaxcnn.mesh import automatic, cut_as
from jaxcnn.ops.check import accumulator, epsilon_of
from jaxcnn.ops.geometry import count

START = 15  # power iterations on the fresh kernel, as many as PyTorch's


@dataclass(frozen=True, repr=False)
class Reparametrized(Layer):
    """What the two share: the layer's parameters stay where they were, and what it works with is made of `kernel`."""

    layer: Layer
    epsilon: float = 1e-12

    adds: ClassVar[str]  # the name of what there is beside the layer's own

    def __post_init__(self) -> None:
        super().__post_init__()
        owner = type(self).__name__
        if not isinstance(self.layer, Layer) or isinstance(self.layer, Reparametrized):
            raise TypeError(
                f"{owner}: layer is {self.layer!r}; expected a layer that learns a kernel, such as {owner}(Conv(32))."
            )
        epsilon_of(owner, self.epsilon)

    def init(self, key: Array, x: ShapeDtypeStruct) -> tuple[Params, State]:
        params, state = self.layer.init(key, described(x))
        if jnp.ndim(params.get("kernel", 0)) < 2:
            owner, kind = type(self).__name__, type(self.layer).__name__
            raise ValueError(
                f"{owner}: {kind} has no kernel of its own; wrap each layer that has one, such as {owner}(Conv(32))."
            )
        more = self.fresh(self.rows_of(params["kernel"]), key)
        return params | more[0], state | more[1]

    def apply(
        self, params: Params, state: State, x: Array, *, train: bool = False, key: Array | None = None
    ) -> tuple[Array, State]:
        learned, own = params["kernel"], {**params, **state}[self.adds]
        make = partial(self.made, train=train)
        kernel, new = automatic(make, make, learned, own)
        inner, rest = ({name: a for name, a in tree.items() if name != self.adds} for tree in (params, state))
        y, kept = self.layer.apply(inner | {"kernel": cut_as(learned, kernel)}, rest, x, train=train, key=key)
        return y, kept | ({self.adds: cut_as(own, new)} if self.adds in state else {})

    def rows_of(self, kernel: Array) -> Array:
        """The kernel as a matrix, (out, fan-in): what each output channel is a sum with, in a row."""
        if isinstance(self.layer, ConvTranspose):
            kernel = channels_swapped(kernel, self.layer.groups)
        return kernel.reshape(-1, kernel.shape[-1]).T

    def kernel_of(self, rows: Array, window: tuple[int, ...]) -> Array:
        """`rows_of` undone."""
        kernel = rows.T.reshape(*window, -1, len(rows))
        return channels_swapped(kernel, self.layer.groups) if isinstance(self.layer, ConvTranspose) else kernel

    @abstractmethod
    def fresh(self, rows: Array, key: Array) -> tuple[Params, State]:
        """The parameters and the state beside those of the layer."""

    @abstractmethod
    def made(self, kernel: Array, own: Array, *, train: bool) -> tuple[Array, Array]:
        """The kernel that the layer works with, and the new value of what there is beside it."""

    def look(self, x: ShapeDtypeStruct, field: Field) -> tuple[Field, tuple[int, ...]]:
        return self.layer.look(x, field)

    def multiply_adds(self, x: ShapeDtypeStruct, y: ShapeDtypeStruct) -> int:
        return self.layer.multiply_adds(x, y)


@dataclass(frozen=True, repr=False)
class WeightNorm(Reparametrized):
    """A layer whose kernel is w = g v / ‖v‖ for each output channel: its length g and its direction v are learned.

    Salimans & Kingma 2016, "Weight normalization", equation 2. g is `scale`, (features,), and v is `kernel`; g starts
    as ‖v‖, so that the fresh layer is the one that it was, as PyTorch's does (Flax's starts as 1).
    """

    adds = "scale"

    def fresh(self, rows: Array, key: Array) -> tuple[Params, State]:
        return {"scale": jnp.linalg.norm(rows.astype(accumulator(rows)), axis=1).astype(rows.dtype)}, {}

    def made(self, kernel: Array, own: Array, *, train: bool) -> tuple[Array, Array]:
        rows = self.rows_of(kernel)
        root = jnp.full(rows.shape[1], rows.shape[1] ** -0.5, rows.dtype)
        unit = ops.rms_norm(rows, root, epsilon=self.epsilon)  # ‖v‖ is the root mean square times √fan-in
        return self.kernel_of(unit * own[:, None], kernel.shape[:-2]), own


@dataclass(frozen=True, repr=False)
class SpectralNorm(Reparametrized):
    """A layer whose kernel is divided by its spectral norm σ, so that no input grows by more than the factor 1.

    Miyato et al. 2018, "Spectral normalization for generative adversarial networks", section 2.1 and appendix A: the
    kernel as a matrix W (out, fan-in) has the largest singular value σ ≈ ‖Wᵀu‖. The state keeps u, (out,), which
    `steps` power iterations u = W Wᵀ u / ‖W Wᵀ u‖ turn towards the singular vector in each training step; evaluation
    takes it as it is. u counts as constant in the gradient.
    """

    steps: int = 1

    adds = "u"

    def __post_init__(self) -> None:
        super().__post_init__()
        count("SpectralNorm", "steps", self.steps)

    def fresh(self, rows: Array, key: Array) -> tuple[Params, State]:
        rows = rows.astype(accumulator(rows))
        u = jax.random.normal(fold(key, "u"), rows.shape[:1], rows.dtype)
        return {}, {"u": _power(rows, u / jnp.linalg.norm(u), START)}

    def made(self, kernel: Array, own: Array, *, train: bool) -> tuple[Array, Array]:
        rows = self.rows_of(kernel).astype(own.dtype)
        u = _power(lax.stop_gradient(rows), own, self.steps) if train else own
        sigma = jnp.sqrt(jnp.square(ops.dense(u[None], rows)).sum() + self.epsilon**2)
        return (kernel.astype(sigma.dtype) / sigma).astype(kernel.dtype), u


def _power(rows: Array, u: Array, steps: int) -> Array:
    """u after power iterations with W Wᵀ; where that is 0, u stays."""
    for _ in range(steps):
        turned = rows @ (u @ rows)
        length = jnp.linalg.norm(turned)
        u = jnp.where(length > 0, turned / jnp.where(length > 0, length, 1), u)
    return u
