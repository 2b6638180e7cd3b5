"""Which verifier finds which wrong backward pass? The same planted faults, given to each of them.

    python experiments/verifiers_compared.py [--rules conv,max_pool] [--limit N] [--seed 0]

Each fault of `jaxcnn.verify.catalog.faults` is planted at one typical configuration of its rule: an author's own
test, not a search over shapes. Planted are the faults that give another gradient there, on the given values or on
values with ties and zeros in the same shapes. A checker that raises an error has found the fault; one that rejects the
right backward pass too is left out. Compared are

* `jax.test_util.check_grads`, reverse mode with its default tolerances, in float32 and in float64;
* `torch.autograd.gradcheck`, fast and slow, in float64, where PyTorch is installed (`pip install torch`);
* `jaxcnn.verify.check_backward`.

Prints faults found by rule and checker, and those that `check_backward` missed.
"""

import argparse
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.test_util import check_grads
from rich.console import Console
from rich.progress import track
from rich.table import Table

from jaxcnn.ops.rule import RULES
from jaxcnn.verify.bench import Bench
from jaxcnn.verify.catalog.fault import differentiable, right
from jaxcnn.verify.catalog.faults import Fault, of_rule
from jaxcnn.verify.catalog.spaces import Draw, worked_out
from jaxcnn.verify.check import bench_of, finds, pair
from jaxcnn.verify.checks import FULL
from jaxcnn.verify.problem import Problem

try:
    import torch
except ImportError:
    torch = None

Arrays = tuple[Any, ...]
Found = dict[str, dict[str, list[Fault] | None]]

# Shapes of the arguments, and options as a user writes them; a string names values of another kind.
TYPICAL: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "conv": ([(2, 6, 6, 4), (3, 3, 2, 4), (4,)], {"stride": 2, "groups": 2}),
    "conv_dgrad": ([(2, 3, 3, 4), (3, 3, 2, 4)], {"stride": 2, "groups": 2, "sizes": (6, 6)}),
    "conv_wgrad": ([(2, 6, 6, 4), (2, 3, 3, 4)], {"stride": 2, "groups": 2, "window": (3, 3)}),
    "max_pool": ([(2, 6, 6, 2)], {"size": 3, "stride": 2, "padding": "SAME"}),
    "avg_pool": ([(2, 6, 6, 2)], {"size": 3, "stride": 2, "padding": "SAME"}),
    "lp_pool": ([(2, 6, 6, 2)], {"p": 2, "size": 3, "stride": 2, "padding": "SAME"}),
    "max_unpool": ([(2, 3, 2, 2), "places"], {"sizes": (4, 3)}),
    "adaptive_avg_pool": ([(2, 5, 4, 2)], {"sizes": (3, 2)}),
    "adaptive_max_pool": ([(2, 5, 4, 2)], {"sizes": (3, 2)}),
    "resize_nearest": ([(2, 3, 4, 2)], {"sizes": (5, 3)}),
    "resize_bilinear": ([(2, 3, 4, 2)], {"sizes": (5, 3)}),
    "resize_bicubic": ([(2, 3, 4, 2)], {"sizes": (5, 3)}),
    "pixel_shuffle": ([(2, 3, 2, 8)], {"factor": 2}),
    "pixel_unshuffle": ([(2, 4, 6, 2)], {"factor": 2}),
    "grid_sample": ([(2, 3, 4, 2), (2, 2, 3, 2)], {"padding_mode": "reflection"}),
    "affine_grid": ([(2, 2, 3)], {"sizes": (3, 4)}),
    "unfold": ([(2, 6, 6, 2)], {"window": 3, "stride": 2, "padding": "SAME"}),
    "fold": ([(2, 9, 18)], {"sizes": (6, 6), "window": 3, "stride": 2, "padding": "SAME"}),
    "global_avg_pool": ([(2, 4, 3, 2)], {}),
    "global_max_pool": ([(2, 4, 3, 2)], {}),
    "dense": ([(4, 5), (5, 3), (3,)], {}),
    "flatten": ([(2, 3, 4, 2)], {}),
    "dropout": ([(4, 6), "key"], {"rate": 0.3}),
    "batch_norm": ([(2, 3, 4, 3), (3,), (3,)], {}),
    "batch_norm_eval": ([(2, 3, 4, 3), (3,), (3,), (3,), "variance"], {}),
    "conv_transpose": (
        [(2, 3, 3, 4), (3, 3, 2, 4), (4,)],
        {"stride": 2, "groups": 2, "padding": 1, "output_padding": 1},
    ),
    "pad": ([(2, 4, 4, 2)], {"padding": ((1, 2), (2, 1)), "mode": "reflect"}),
    "group_norm": ([(2, 3, 4, 4), (4,), (4,)], {"groups": 2}),
    "instance_norm": ([(2, 3, 4, 3), (3,), (3,)], {}),
    "layer_norm": ([(4, 5), (5,), (5,)], {}),
    "rms_norm": ([(4, 5), (5,)], {}),
    "weight_standardize": ([(3, 3, 2, 4), (4,)], {}),
    "local_response_norm": ([(2, 3, 4, 6)], {"size": 4, "alpha": 0.5}),
    "bilinear": ([(4, 3), (4, 5), (3, 5, 2), (2,)], {}),
    "spatial_dropout": ([(3, 4, 3, 5), "key"], {"rate": 0.3}),
    "stochastic_depth": ([(6, 3, 2, 2), "key"], {"rate": 0.3}),
    "leaky_relu": ([(2, 3, 4)], {"slope": 0.2}),
    "prelu": ([(2, 3, 4), (4,)], {}),
    "elu": ([(2, 3, 4)], {"alpha": 0.5}),
    "celu": ([(2, 3, 4)], {"alpha": 0.5}),
    "softmax_cross_entropy": ([(4, 5), "weights", "factors"], {"label_smoothing": 0.1}),
    "nll": ([(4, 5), "weights", "factors"], {}),
    "sigmoid_cross_entropy": ([(4, 5), "weights", "factors"], {}),
    "focal": ([(4, 5), "weights"], {}),
    "kl_divergence": ([(4, 5), "weights"], {}),
    "hinge": ([(4, 5), "signs"], {}),
    "multi_margin": ([(4, 5), "classes"], {}),
    "triplet": ([(4, 5), (4, 5), (4, 5)], {}),
}
TYPICAL |= {name: ([(4, 3, 2), (4, 3, 2)], {}) for name in ("mse", "l1", "huber")}
ACTIVATIONS = (
    "relu relu6 selu sigmoid hard_sigmoid tanh softplus softsign gelu silu hard_swish mish glu softmax log_softmax"
)
TYPICAL |= {name: ([(2, 3, 4)], {}) for name in ACTIVATIONS.split()}


class Setting:
    """A rule at its typical configuration, in float64: arrays, worked-out options, and a cotangent for y."""

    def __init__(self, rule: str, seed: int) -> None:
        rng = np.random.default_rng(seed)
        shapes, options = TYPICAL[rule]
        special = {
            "key": lambda: jax.random.key(0),
            "variance": lambda: rng.uniform(0.5, 2, 3),
            "places": lambda: rng.integers(0, 12, (2, 3, 2, 2)).astype(np.int32),
            "weights": lambda: rng.uniform(0, 1, (4, 5)),
            "factors": lambda: rng.uniform(0.5, 2, 5),
            "signs": lambda: rng.choice([-1.0, 1.0], (4, 5)),
            "classes": lambda: rng.integers(0, 5, 4),
        }
        args = tuple(special[s]() if isinstance(s, str) else rng.standard_normal(s) for s in shapes)
        self.rule, self.rng = rule, rng
        self.arrays, self.options = worked_out(rule, Draw(args, options))

    @functools.cached_property
    def bench(self) -> Bench:
        """What `check_backward` computes of the plain function, once for all faults."""
        return bench_of(self.problem(nothing(self.rule)), 0)

    def problem(self, fault: Fault) -> Problem:
        """The plain function and a fault, as `check_backward` sees them."""
        plain = RULES[self.rule].plain
        return pair(plain, fault.forward, fault.backward, self.arrays, self.options, name=self.rule)

    def plain(self, *arrays: Any) -> Any:
        """The rule's forward with its options."""
        return RULES[self.rule].plain(*arrays, **self.options)

    def shows(self, fault: Fault) -> bool:
        """Whether the fault changes a gradient here, on normal values or on tied ones."""
        return any(self._differs(fault, arrays) for arrays in (self.arrays, tuple(map(self._tied, self.arrays))))

    def _tied(self, array: Any) -> Any:
        if not differentiable(array):
            return array
        values = self.rng.choice([-1, -0.5, 0, 0.5, 1], array.shape)
        return jnp.asarray(np.abs(values) + 0.25 if (np.asarray(array) >= 0).all() else values)

    def _differs(self, fault: Fault, arrays: Arrays) -> bool:
        dy = jax.tree.map(lambda y: jnp.asarray(self.rng.standard_normal(y.shape)), self.plain(*arrays))
        expected, got = right(self.rule, arrays, dy, **self.options), fault.backward(arrays, dy, **self.options)
        if jax.tree.map(_form, got) != jax.tree.map(_form, expected):
            return True
        return any(
            np.max(np.abs(g - e)) > 1e-7 * np.max(np.abs(e))
            for g, e in zip(got, expected, strict=True)
            if e is not None
        )


def _form(array: Any) -> tuple[Any, Any]:
    return array.shape, array.dtype


def nothing(rule: str) -> Fault:
    """The right backward pass, as a fault."""
    return Fault(rule, "nothing", "", functools.partial(right, rule))


def by_check_grads(setting: Setting, fault: Fault, dtype: Any) -> bool:
    """Whether `check_grads` finds the fault, planted by `jax.custom_vjp`."""

    @jax.custom_vjp
    def planted(*arrays: Any) -> Any:
        return setting.plain(*arrays)

    planted.defvjp(
        lambda *arrays: fault.forward(*arrays, **setting.options),
        lambda arrays, dy: fault.backward(arrays, dy, **setting.options),
    )
    moving = [differentiable(a) for a in setting.arrays]

    def of_floats(*floats: Any) -> Any:
        given = iter(floats)
        return planted(*(next(given) if m else a for m, a in zip(moving, setting.arrays, strict=True)))

    floats = [np.asarray(a, dtype) for a, m in zip(setting.arrays, moving, strict=True) if m]
    np.random.seed(0)  # check_grads draws its direction from NumPy's global generator
    with jax.enable_x64(dtype == np.float64):
        return _raises(lambda: check_grads(of_floats, tuple(map(jnp.asarray, floats)), order=1, modes=["rev"]))


def by_gradcheck(setting: Setting, fault: Fault, *, fast: bool) -> bool:
    """Whether `gradcheck` finds the fault, planted by a `torch.autograd.Function` that calls JAX through NumPy."""
    backward = jax.jit(lambda arrays, dy: fault.backward(arrays, dy, **setting.options))
    forward = jax.jit(setting.plain)
    moving = [differentiable(a) for a in setting.arrays]

    def full(tensors: Any) -> Arrays:
        given = iter(tensors)
        arrays = zip(moving, setting.arrays, strict=True)
        return tuple(jnp.asarray(next(given).detach().numpy()) if m else a for m, a in arrays)

    def tensor(array: Any) -> Any:
        return None if array is None else torch.from_numpy(np.array(array))

    class Planted(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, *tensors: Any) -> Any:
            ctx.save_for_backward(*tensors)
            return jax.tree.map(tensor, forward(*full(tensors)))

        @staticmethod
        def backward(ctx: Any, *dys: Any) -> Any:
            dy = tuple(jnp.asarray(d.contiguous().numpy()) for d in dys)
            arrays = full(ctx.saved_tensors)
            cotangents = backward(arrays, dy if len(dy) > 1 else dy[0])
            if len(cotangents) != len(arrays):
                raise TypeError(f"{len(cotangents)} cotangents for {len(arrays)} arguments")
            return tuple(tensor(c) for c, m in zip(cotangents, moving, strict=True) if m)

    floats = [a for a, m in zip(setting.arrays, moving, strict=True) if m]
    torch.manual_seed(0)
    inputs = [torch.from_numpy(np.array(a, np.float64)).requires_grad_() for a in floats]
    return _raises(lambda: torch.autograd.gradcheck(Planted.apply, inputs, fast_mode=fast))


def by_check_backward(setting: Setting, fault: Fault) -> bool:
    """Whether `jaxcnn.verify.check_backward` reports a failure: its checks, up to the first that finds something."""
    return finds(setting.bench.planted(setting.problem(fault)), FULL)


def _raises(check: Callable[[], Any]) -> bool:
    try:
        check()
    except Exception:  # a mismatch, or a cotangent that the framework refuses
        return True
    return False


CHECKERS: dict[str, Callable[[Setting, Fault], bool] | None] = {
    "check_grads float32": functools.partial(by_check_grads, dtype=np.float32),
    "check_grads float64": functools.partial(by_check_grads, dtype=np.float64),
    "gradcheck fast": functools.partial(by_gradcheck, fast=True) if torch else None,
    "gradcheck slow": functools.partial(by_gradcheck, fast=False) if torch else None,
    "jaxcnn.verify": by_check_backward,
}


def compare(rules: list[str], limit: int | None, seed: int) -> Found:
    """For each rule the faults planted, under "planted", and those that each checker found, under its name.

    None for a checker that can't judge: PyTorch is not there, or it rejects the right backward pass too.
    """
    found: Found = {}
    with jax.enable_x64(True):
        for rule in rules:
            setting = Setting(rule, seed)
            planted = [f for f in of_rule(rule) if not f.equivalent and setting.shows(f)][:limit]
            judges = {name: f for name, f in CHECKERS.items() if f is not None and not f(setting, nothing(rule))}
            caught: dict[str, list[Fault]] = {name: [] for name in judges}
            for fault in track(planted, rule, transient=True, console=Console(stderr=True)):
                for name, finds in judges.items():
                    if finds(setting, fault):
                        caught[name].append(fault)
            found[rule] = {"planted": planted, **dict.fromkeys(CHECKERS), **caught}
    return found


def table(found: Found) -> Table:
    """Counts by rule and checker."""
    names = ["planted", *CHECKERS]
    rows = Table("rule", *names, title="Planted faults found")
    for column in rows.columns[1:]:
        column.justify = "right"

    def cell(name: str, faults: list[Fault] | None) -> str:
        if faults is None:
            return "no torch" if CHECKERS[name] is None else "rejects all"
        return str(len(faults))

    for rule, of in found.items():
        rows.add_row(rule, *(cell(name, of[name]) for name in names))
    rows.add_section()
    rows.add_row("all", *(str(sum(len(of[name] or []) for of in found.values())) for name in names))
    return rows


def main(rules: list[str], limit: int | None, seed: int) -> Found:
    """Compare, print the table and what `check_backward` missed."""
    unknown = sorted(set(rules) - set(TYPICAL))
    if unknown:
        raise SystemExit(f"--rules names {', '.join(unknown)}; expected some of {', '.join(sorted(TYPICAL))}.")
    found = compare(rules, limit, seed)
    console = Console(width=120)
    console.print(table(found))
    for of in found.values():
        for fault in of["planted"] or []:
            if fault not in (of["jaxcnn.verify"] or []):
                console.print(f"jaxcnn.verify missed {fault} ({fault.cause})")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Give the same planted faults to several gradient checkers.")
    parser.add_argument(
        "--rules", type=lambda s: s.split(","), default=sorted(TYPICAL), help="comma-separated; default all"
    )
    parser.add_argument("--limit", type=int, default=None, help="at most this many faults of each rule")
    parser.add_argument("--seed", type=int, default=0, help="of the values")
    main(**vars(parser.parse_args()))
