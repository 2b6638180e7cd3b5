"""The sixty mistakes that `mutations.py` makes, one at a time, over all folders of the package and in the experiments.

`old` stands in exactly one file, once (`test_mutations.py` holds that); `tests` are the arguments of pytest that should
find the mistake in seconds. None is equivalent: each changes what somebody can see.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Mutation:
    """`old` replaced by `new`, and the tests to run first."""

    name: str
    kind: Literal["sign", "index", "axis", "default", "constant", "off by one", "guard", "branch", "message"]
    old: str
    new: str
    tests: str


RULES = "tests/ops/test_rules.py"
ERRORS = "tests/ops/test_errors.py"
POOL = "tests/ops/test_pool.py"

CONV = [
    Mutation(
        "same-pads-the-other-end",
        "index",
        "return total // 2, total - total // 2",
        "return total - total // 2, total // 2",
        "tests/ops/test_geometry.py",
    ),
    Mutation(
        "output-padding-beside-same",
        "guard",
        'limits = (1,) * len(stride) if padding == "SAME" else map(max, stride, dilation)',
        "limits = map(max, stride, dilation)",
        f"{ERRORS} -k conv_transpose",
    ),
    Mutation(
        "bias-message",
        "message",
        "expected ({cout},), one for each output channel of the kernel.",
        "expected ({cin},), one for each output channel of the kernel.",
        f"{ERRORS} -k conv-bias",
    ),
    Mutation(
        "nine-bits-of-bfloat16",
        "constant",
        "lax.reduce_precision(a, 8, 7)",
        "lax.reduce_precision(a, 8, 8)",
        "tests/ops/test_precision.py",
    ),
]

POOLING = [
    Mutation(
        "a-later-tap-wins",
        "index",
        "wins = ~(at <= y) & (y == y)",
        "wins = ~(at < y) & (y == y)",
        f"{RULES} -k max_pool-overlap-ties",
    ),
    Mutation(
        "what-ceil-mode-adds-counts",
        "guard",
        "(low, min_dim(high, most)) for",
        "(low, most) for",
        f"{POOL} -k ceil",
    ),
    Mutation(
        "indices-without-dilation",
        "index",
        "tap.astype(jnp.int32) * windows.dilation",
        "tap.astype(jnp.int32)",
        f"{POOL} -k indices",
    ),
]

NORM = [
    Mutation(
        "half-of-dvar",
        "constant",
        "by_x = (2 * dvar - from_var) / m",
        "by_x = (dvar - from_var) / m",
        f"{RULES} -k batch_norm-2d",
    ),
    Mutation(
        "the-variances-share",
        "sign",
        "return r * (du - du.mean(axes, keepdims=True) - unit * along)",
        "return r * (du - du.mean(axes, keepdims=True) + unit * along)",
        f"{RULES} -k layer_norm-rows",
    ),
    Mutation(
        "window-not-mirrored",
        "index",
        "through = _neighbours(direct * x / s, (size - 1) // 2, size // 2)",
        "through = _neighbours(direct * x / s, size // 2, (size - 1) // 2)",
        f"{RULES} -k local_response_norm-even",
    ),
    Mutation(
        "rms-norm-epsilon",
        "default",
        "scale: ArrayLike, *, epsilon: float = 1e-6",
        "scale: ArrayLike, *, epsilon: float = 1e-5",
        f"{RULES} -k rms_norm-images",
    ),
]

ACTIVATION = [
    Mutation(
        "gelu-overflows",
        "guard",
        "x = jnp.clip(anew(x), -FAR, FAR).astype",
        "x = anew(x).astype",
        "tests/ops/test_activation.py -k far_from_zero",
    ),
    Mutation(
        "hard-sigmoid-at-its-kinks",
        "off by one",
        "(jnp.where((x <= low) | (x >= high), 0, dy / width),)",
        "(jnp.where((x < low) | (x > high), 0, dy / width),)",
        f"{RULES} -k hard_sigmoid-kinks",
    ),
    Mutation(
        "eleventh-digit-of-selu",
        "constant",
        "SELU_ALPHA = 1.6732632423543772",
        "SELU_ALPHA = 1.6732632423643772",
        f"{RULES} -k selu-2d",
    ),
    Mutation(
        "leaky-relu-slope",
        "default",
        "slope: float = 0.01) -> Array:",
        "slope: float = 0.1) -> Array:",
        f"{RULES} -k leaky_relu-2d",
    ),
]

LOSS = [
    Mutation(
        "hinge-at-its-kink",
        "off by one",
        "pull = jnp.where(1 - t * s <= 0, 0,",
        "pull = jnp.where(1 - t * s < 0, 0,",
        f"{RULES} -k hinge-kinks",
    ),
    Mutation(
        "ignored-labels-have-mass",
        "guard",
        "whole = labels.ndim == 1 and class_weights is None and ignore_index is None",
        "whole = labels.ndim == 1 and class_weights is None",
        f"{RULES} -k softmax_cross_entropy-ignored",
    ),
]

OTHER_OPERATIONS = [
    Mutation(
        "true-is-a-number",
        "guard",
        "return isinstance(value, Real) and not isinstance(value, bool)",
        "return isinstance(value, Real)",
        ERRORS,
    ),
    Mutation(
        "reflect-needs-one-less",
        "off by one",
        '"reflect": w - 1}',
        '"reflect": w}',
        f"{ERRORS} -k pad",
    ),
    Mutation(
        "one-draw-for-each-column",
        "axis",
        "shared=tuple(range(1, 1 + axes))",
        "shared=tuple(range(1, axes))",
        f"{RULES} -k spatial_dropout-2d",
    ),
]

KERNELS = [
    Mutation(
        "half-precision-sums",
        "guard",
        "return a.astype(jnp.promote_types(a.dtype, jnp.float32))",
        "return a",
        "tests/kernels/test_grouped.py -k half_precision",
    ),
    Mutation(
        "kernel-turned-along-one-axis",
        "axis",
        'turned, channels = lax.rev(kernel, tuple(range(n))), "OI"',
        'turned, channels = lax.rev(kernel, (0,)), "OI"',
        f"{RULES} -k conv-valid",
    ),
    Mutation(
        "winograd-of-few-channels",
        "branch",
        "wide = min(call.channels",
        "wide = max(call.channels",
        "tests/kernels/test_winograd.py -k where_it_does_not",
    ),
    Mutation(
        "handlers-of-an-older-ffi",
        "guard",
        "if built > spoken or built[0] != spoken[0]:",
        "if built > spoken:",
        "tests/kernels/test_library.py",
    ),
    Mutation(
        "one-devices-kernel-gradient",
        "branch",
        'return lax.psum(part, along["batch"]) if call.map == "wgrad" and "batch" in along else part',
        "return part",
        "tests/kernels/test_onednn_devices.py -k summed",
    ),
]

LAYERS = [
    Mutation(
        "only-the-first-branch-pulls",
        "branch",
        "dx += dbranch",
        "dx = dbranch",
        "tests/layers/test_backprop.py",
    ),
    Mutation(
        "all-branches-must-see-all",
        "branch",
        "self.whole or other.whole,",
        "self.whole and other.whole,",
        "tests/layers/test_summary.py tests/layers/test_gated.py",
    ),
    Mutation(
        "response-norm-beta",
        "default",
        "beta: float = 0.75\n",
        "beta: float = 0.5\n",
        "tests/layers/test_norm.py",
    ),
    Mutation(
        "nothing-left-to-excite",
        "guard",
        "hidden = max(1, channels // reduction)",
        "hidden = channels // reduction",
        "tests/layers/test_gated.py",
    ),
]

MODELS = [
    Mutation(
        "first-stage-halves-too",
        "guard",
        "first = stage > 1 and block == 1",
        "first = block == 1",
        "tests/models/test_models.py -k multiply_adds",
    ),
    Mutation(
        "dropout-of-a-block",
        "constant",
        'f"dropout{block}": Dropout(0.25),',
        'f"dropout{block}": Dropout(0.5),',
        "tests/models/test_models.py -k dropout",
    ),
]

DATA = [
    Mutation(
        "mirrored-upside-down",
        "axis",
        "return jnp.where(mirrored, images[:, :, ::-1], images)",
        "return jnp.where(mirrored, images[:, ::-1], images)",
        "tests/data/test_augment.py -k mirrored",
    ),
    Mutation(
        "seeds-share-their-epochs",
        "index",
        "np.random.default_rng((seed, epoch)).permutation(n)",
        "np.random.default_rng(seed + epoch).permutation(n)",
        "tests/data/test_batches.py",
    ),
    Mutation(
        "last-pixel-of-a-block",
        "off by one",
        "pixels[i : i + BLOCK]",
        "pixels[i : i + BLOCK - 1]",
        "tests/data/test_pixels.py",
    ),
    Mutation(
        "validation-before-test",
        "index",
        'parts_of = SPLITS if "test" in words else',
        'parts_of = SPLITS if "validation" in words else',
        "tests/data/test_catalog.py",
    ),
    Mutation(
        "small-letters-only",
        "branch",
        "return path.suffix.lower() in _endings()",
        "return path.suffix in _endings()",
        "tests/data/test_folder.py",
    ),
]

TRAIN = [
    Mutation(
        "checkpoint-9-is-newer-than-10",
        "index",
        'sorted((child for child in folder.glob("*") if child.name.isdecimal()), key=lambda c: -int(c.name))',
        'sorted((child for child in folder.glob("*") if child.name.isdecimal()), key=lambda c: c.name, reverse=True)',
        "tests/train/test_checkpoint.py",
    ),
    Mutation(
        "padding-with-an-infinite-loss",
        "guard",
        "jnp.where(weights > 0, loss(logits, labels), 0.0)",
        "loss(logits, labels) * weights",
        "tests/train/test_step.py",
    ),
    Mutation(
        "right-ones-among-the-mistakes",
        "index",
        "np.lexsort((self.probabilities[np.arange(len(labels)), labels], right))",
        "np.lexsort((right, self.probabilities[np.arange(len(labels)), labels]))",
        "tests/train/test_loop.py tests/report -k 'evaluation or predictions'",
    ),
    Mutation(
        "nothing-but-warmup",
        "off by one",
        "0 <= self.warmup < epochs,",
        "0 <= self.warmup <= epochs,",
        "tests/train/test_recipe.py",
    ),
    Mutation(
        "three-digits-agree",
        "constant",
        "TOLERANCE = 1e-10",
        "TOLERANCE = 1e-3",
        "tests/train/test_gradients.py",
    ),
    Mutation(
        "interrupted-when-all-is-done",
        "guard",
        "if over or int(self.state.step) == experiment.total_steps:",
        "if over:",
        "tests/train/test_loop.py -k last_step",
    ),
    Mutation(
        "was-and-is-now",
        "message",
        'f"{field.name} was {getattr(before, field.name)!r} and is now {getattr(now, field.name)!r}"',
        'f"{field.name} was {getattr(now, field.name)!r} and is now {getattr(before, field.name)!r}"',
        "tests/train/test_run_folder.py -k resume",
    ),
]

REPORT = [
    Mutation(
        "best-on-the-training-images",
        "index",
        'best = max(records, key=lambda record: record["eval_accuracy"])',
        'best = max(records, key=lambda record: record["train_accuracy"])',
        "tests/report",
    ),
    Mutation(
        "bars-without-a-foot",
        "sign",
        "np.floor(np.log10(min(norms, default=1.0)) - 0.3)",
        "np.floor(np.log10(min(norms, default=1.0)) + 0.3)",
        "tests/report",
    ),
]

BENCH = [
    Mutation(
        "nan-is-the-same-work",
        "constant",
        "np.nan_to_num(worst, nan=np.inf)",
        "np.nan_to_num(worst, nan=0.0)",
        "tests/bench/test_contest.py",
    ),
    Mutation(
        "patience-of-one-call",
        "constant",
        "patient = n * sum(wall for wall, _ in taken) < PATIENCE",
        "patient = sum(wall for wall, _ in taken) < PATIENCE",
        "tests/bench/test_measure.py",
    ),
]

COMMANDS = [
    Mutation(
        "taken-for-itself",
        "guard",
        "mistakes = confusion - np.diag(confusion.diagonal())",
        "mistakes = confusion.copy()",
        "tests/train/test_measures.py",
    ),
    Mutation(
        "wrong-kernels-exit-with-0",
        "branch",
        "return 0 if error < 1e-5 else 1",
        "return 0",
        "tests/cli/test_doctor.py",
    ),
    Mutation(
        "last-step-in-the-next-epoch",
        "off by one",
        "(look.step - 1) // self._experiment.steps_per_epoch + 1",
        "look.step // self._experiment.steps_per_epoch + 1",
        "tests/cli/test_progress.py",
    ),
    Mutation(
        "a-fixture-that-never-fails",
        "branch",
        "from jaxcnn.verify import assert_gradients\n",
        "from jaxcnn.verify import check as assert_gradients\n",
        "tests/verify/test_asserts.py",
    ),
]

VERIFY = [
    Mutation(
        "no-checks-and-yet-ok",
        "guard",
        "return bool(self.checks) and not self.failures",
        "return not self.failures",
        "tests/verify/test_check.py -k nothing_is_verified",
    ),
    Mutation(
        "corners-are-borders",
        "branch",
        'return "border" if at_ends == 1 else "corner"',
        'return "border"',
        "tests/verify/test_check.py -k corner",
    ),
    Mutation(
        "shifted-the-other-way",
        "sign",
        "np.roll(error.right, shift, axis)",
        "np.roll(error.right, -shift, axis)",
        "tests/verify/test_causes.py -k generic",
    ),
    Mutation(
        "first-slice-and-last",
        "message",
        '{0: "the first slice", size - 1: "the last slice"}',
        '{0: "the last slice", size - 1: "the first slice"}',
        "tests/verify/test_causes.py -k generic",
    ),
]

CATALOG = [
    Mutation(
        "all-but-the-first-example",
        "index",
        "dy.at[1:].set(0), options",
        "dy.at[:1].set(0), options",
        "tests/verify/test_faults.py",
    ),
    Mutation(
        "losses-off-their-kinks",
        "constant",
        "rng.random(x.shape) < 1 / 3, rng.choice(values",
        "rng.random(x.shape) < 0, rng.choice(values",
        "tests/verify/test_spaces.py -k kinks",
    ),
    Mutation(
        "a-loop-that-starts-in-the-padding",
        "off by one",
        "if (out - 1) * s >= w + low:",
        "if (out - 1) * s > w + low:",
        f"{RULES} -k max_pool-ceil",
    ),
]

EXPERIMENTS = [
    Mutation(
        "gap-of-test-and-training",
        "sign",
        "return self.train - self.test",
        "return self.test - self.train",
        "tests/experiments/test_ablation.py",
    ),
    Mutation(
        "best-rate-by-the-first-loss",
        "index",
        "t.losses[-1] if np.isfinite(t.losses[-1])",
        "t.losses[0] if np.isfinite(t.losses[-1])",
        "tests/experiments/test_gradient_descent.py",
    ),
]

MUTATIONS = [
    *(*CONV, *POOLING, *NORM, *ACTIVATION, *LOSS, *OTHER_OPERATIONS),
    *(*KERNELS, *LAYERS, *MODELS, *DATA, *TRAIN, *REPORT, *BENCH, *COMMANDS, *VERIFY, *CATALOG, *EXPERIMENTS),
]
