"""A training step on eight devices: as on one, and no activation is gathered."""

import json
import os
import re
import subprocess
import sys

import jax
import pytest

from jaxcnn import data, models
from jaxcnn.kernels import library
from jaxcnn.train.experiment import experiment_of
from jaxcnn.train.placement import OnMesh
from jaxcnn.train.recipe import DevicesRecipe, OptimizationRecipe

# JAX is told the number of its devices before it starts, so this is a process of its own.
PROGRAM = """
import functools, json, re
import jax, jax.monitoring, jax.numpy as jnp, numpy as np, optax
from jaxcnn import kernels, ops
from jaxcnn.data import augment
from jaxcnn.layers import Activation, BatchNorm, Conv, Dense, Dropout, Flatten, chain
from jaxcnn.models.resnet import resnet_cifar
from jaxcnn.train.feed import _gathered
from jaxcnn.train.freeze import frozen
from jaxcnn.train.hosts import place
from jaxcnn.train.placement import ONE_DEVICE, OnMesh
from jaxcnn.train.recipe import DevicesRecipe
from jaxcnn.train.state import TrainState
from jaxcnn.train.step import StepOptions, make_eval_step, make_train_step

found, compiled = {}, []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, *_, **__: compiled.append(1) if event.endswith("backend_compile_duration") else None
)
eight = place(DevicesRecipe(devices=8))
two = OnMesh(jax.make_mesh((2,), ("data",), (jax.sharding.AxisType.Auto,), devices=jax.devices()[:2]))
cut = OnMesh(eight.mesh, {"head/bias": "whole", "*": "largest"}, smallest=16)
rng = np.random.default_rng(0)
found["devices"] = [eight.devices, place(DevicesRecipe(devices=8, shard_params=True)).devices]
try:
    place(DevicesRecipe(devices=16))
except ValueError as error:
    found["too many"] = str(error)


@functools.cache
def fresh(network, optimizer, image, dtype, average):
    def make():
        params, state = network.init(jax.random.key(0), jax.ShapeDtypeStruct((1, *image), dtype))
        params, state = jax.tree.map(lambda a: a.astype(dtype), (params, state))
        average_ = (params, state) if average else ()
        return TrainState(params, state, optimizer.init(params), jnp.int32(0), jax.random.key(1), average_)

    return jax.jit(make)()


def start(network, optimizer, image, dtype, placement, average):
    # A copy, since a step is given its state for good.
    made = fresh(network, optimizer, image, dtype, average)
    return jax.jit(lambda made: placement.kept(jax.tree.map(jnp.copy, made)))(made)


def collectives(step, *arguments):
    # The shapes of what each kind of collective gives, inside of all that the step calls.
    text = step.lower(*arguments).compile().as_text()
    kinds = "all-gather|all-reduce|reduce-scatter|all-to-all|collective-permute"
    shapes = {}
    for line in text.splitlines():
        if named := re.search(rf" = (.*?) ({kinds})(-start)?[(]", line):
            shapes.setdefault(named[2], []).extend(re.findall(r"\\w+\\[[\\d,]*\\]", named[1]))
    return shapes, text


# 20 steps in float64 with all that draws, or takes statistics.
with jax.enable_x64(True):
    tiny = chain(
        conv=Conv(8, 3), norm=BatchNorm(), relu=Activation("relu"), drop=Dropout(0.3),
        second=Conv(8, 3, stride=2), norm2=BatchNorm(), relu2=Activation("relu"), flatten=Flatten(), head=Dense(16),
    )
    drawn = augment.parse("crop(1),flip,cutout(2)")
    images, labels = rng.integers(0, 255, (20, 32, 6, 6, 3), np.uint8), rng.integers(0, 16, (20, 32))
    images[3, 5] = 255  # whose loss is not finite where it is looked for
    ways = {
        "plain": (StepOptions(), optax.adam(1e-2), tiny),
        "all": (
            StepOptions(accumulate=2, ema=0.9, skip=True, freeze="conv/*,norm/*"),
            optax.chain(optax.clip_by_global_norm(0.1), optax.sgd(0.1, momentum=0.9)),
            None,
        ),
    }
    for name, (options, optimizer, network) in ways.items():
        shapes = jax.eval_shape(lambda: tiny.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 6, 6, 3), jnp.float32)))
        network = network or frozen(tiny, shapes[0], options.freeze)
        losses, last = {}, {}
        for where, placement in {"one": ONE_DEVICE, "eight": eight, "cut": cut}.items():
            step = make_train_step(
                network, optimizer, ops.softmax_cross_entropy, augment=drawn, options=options, placement=placement,
                normalise=lambda x: jnp.where(options.skip & (x == 255), jnp.nan, x.astype(jnp.float64) / 255),
            )
            state = start(tiny, optimizer, (6, 6, 3), jnp.float64, placement, options.ema)
            before = jax.tree.map(lambda a: a.sharding, state)
            losses[where], compiled[:] = [], []
            for i in range(20):
                batch = placement.batch((images[i], labels[i]))
                state, metrics = step(state, *batch)
                losses[where].append(float(metrics.loss))
            last[where] = [np.asarray(a) for a in jax.tree.leaves((state.params, state.evaluated))]
            after = jax.tree.map(lambda a: a.sharding, state)
            same = jax.tree.map(lambda a, b, x: a.is_equivalent_to(b, x.ndim), before, after, state)
            found[f"{name} {where}"] = {
                "loss": max(abs(np.subtract(losses[where], losses["one"]))) / abs(losses["one"][0]),
                "params": max(float(abs(a - b).max()) for a, b in zip(last[where], last["one"])),
                "left out": [i for i, loss in enumerate(losses[where]) if loss == 0],
                "stays": all(jax.tree.leaves(same)),
                "programs": len(compiled),
                "kernel": state.params["head"]["kernel"].addressable_shards[0].data.shape,
            }
            if where == "cut":
                momentum = [a for a in jax.tree.leaves(state.opt_state) if a.shape == (72, 16) or a.shape == (8, 16)]
                found[f"{name} cut"]["moments"] = [a.addressable_shards[0].data.shape for a in momentum]
                found[f"{name} cut"]["bias"] = state.params["head"]["bias"].addressable_shards[0].data.shape

# What travels between the devices, with a CPU's own kernels.
batch = rng.integers(0, 256, (16, 32, 32, 3), np.uint8), rng.integers(0, 10, 16).astype(np.int32)
small, optimizer = resnet_cifar(8, width=24), optax.sgd(0.1, momentum=0.9)
for name, placement, options in [
    ("whole", eight, StepOptions()),
    ("shared", OnMesh(eight.mesh, {"*": "largest"}, smallest=1000), StepOptions()),
    ("parts", OnMesh(eight.mesh, {"*": "largest"}, smallest=1000), StepOptions(accumulate=2, precision="mixed")),
]:
    step = make_train_step(
        small, optimizer, ops.softmax_cross_entropy, normalise=lambda x: x / jnp.float32(255),
        augment=augment.parse("crop(4),flip,cutout(8)"), options=options, placement=placement,
    )
    state = start(small, optimizer, (32, 32, 3), jnp.float32, placement, None)
    shapes, text = collectives(step, state, *placement.batch(batch))
    found[f"travels {name}"] = {
        **shapes,
        "own": sorted({*re.findall(r'custom_call_target="(jaxcnn_\\w+)"', text)}),
        "donated": text.split("\\n", 1)[0].count("may-alias") + text.split("\\n", 1)[0].count("must-alias"),
        "leaves": len(jax.tree.leaves(state)),
        "parameters": sorted({str(list(a.shape)).replace(" ", "") for a in jax.tree.leaves(state.params)}),
    }
eval_step = make_eval_step(
    small, ops.softmax_cross_entropy, normalise=lambda x: x / jnp.float32(255), probabilities=jax.nn.softmax,
    placement=eight,
)
weights = eight.whole((state.params, state.state))
found["evaluation"], _ = collectives(eval_step, *weights, *eight.batch((*batch, np.ones(16, np.float32))))
rows = eight.batch(np.arange(16, dtype=np.int32))
whole = eight.whole((rng.integers(0, 9, (32, 4, 4, 1), np.uint8), np.arange(32)))
found["a batch"], _ = collectives(_gathered, *whole, rows)

# The kernels' own bits.
def bits(name, f, *arrays, of=(True, False)):
    made = []
    for placement in (ONE_DEVICE, two, eight):
        placed = [placement.batch(a) if by else placement.whole(a) for a, by in zip(arrays, of)]
        made.append(np.asarray(jax.jit(f)(*placed)))
    error = max(abs(made[0] - m).max() / abs(made[0]).max() for m in made)
    found[f"bits {name}"] = {"same": all((m == made[0]).all() for m in made), "error": float(error)}


shapes = {"winograd": ((64, 8, 8, 32), (3, 3, 32, 40), 1), "onednn": ((64, 6, 5, 4), (3, 3, 4, 8), 1),
          "grouped": ((64, 6, 6, 16), (3, 3, 1, 16), 16)}
for name, (of_x, of_kernel, groups) in shapes.items():
    x, kernel = (np.float32(rng.standard_normal(s)) for s in (of_x, of_kernel))
    y = lambda x, k: ops.conv(x, k, groups=groups)
    dy = np.float32(rng.standard_normal(jax.eval_shape(y, x, kernel).shape))
    bits(f"{name} y", y, x, kernel)
    bits(f"{name} dx", lambda x, k, dy: jax.vjp(y, x, k)[1](dy)[0], x, kernel, dy, of=(True, False, True))
    bits(f"{name} dkernel", lambda x, k, dy: jax.vjp(y, x, k)[1](dy)[1], x, kernel, dy, of=(True, False, True))
bits("moments", lambda x, b: jnp.stack(kernels.moments(x)), np.float32(rng.standard_normal((64, 6, 6, 16))), x[0, 0, 0])

# A parameter of 8 MiB, cut into parts: the gradient's and the update's numbers.
wide = chain(flatten=Flatten(), head=Dense(2048))
optimizer = optax.sgd(1.0)
params = {}
for where, placement in {"one": ONE_DEVICE, "cut": place(DevicesRecipe(devices=8, shard_params=True))}.items():
    step = make_train_step(
        wide, optimizer, ops.softmax_cross_entropy, normalise=lambda x: x / jnp.float32(255), placement=placement
    )
    state = start(wide, optimizer, (32, 32, 1), jnp.float32, placement, None)
    state, _ = step(state, *placement.batch((batch[0][..., :1], batch[1])))
    params[where] = state.params["head"]["kernel"]
found["wide"] = {
    "part": list(params["cut"].sharding.shard_shape(params["cut"].shape)),
    "error": float(abs(np.asarray(params["cut"]) - np.asarray(params["one"])).max()),
}
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found():
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.parametrize("where", ["eight", "cut"])
@pytest.mark.parametrize("how", ["plain", "all"])
def test_twenty_steps_are_those_of_one_device(found, how, where):
    """With batch norm, dropout and augmentation; "all" has accumulation, an average, frozen layers and a lost step."""
    assert found[f"{how} {where}"]["loss"] < 1e-12
    assert found[f"{how} {where}"]["params"] < 1e-6
    assert found[f"{how} {where}"]["left out"] == found[f"{how} one"]["left out"] == [3] * (how == "all")


@pytest.mark.parametrize("where", ["eight", "cut"])
@pytest.mark.parametrize("how", ["plain", "all"])
def test_a_state_stays_where_it_lies_and_the_step_is_compiled_once(found, how, where):
    assert found[f"{how} {where}"]["stays"]
    assert found[f"{how} {where}"]["programs"] == 1


def test_parameters_and_what_the_optimizer_keeps_of_them_are_cut_by_the_rules(found):
    assert found["plain eight"]["kernel"] == [72, 16]
    assert found["plain cut"]["kernel"] == [9, 16]
    assert found["plain cut"]["moments"] == [[9, 16], [9, 16]]
    assert found["plain cut"]["bias"] == [16]


@pytest.mark.parametrize("name", ["whole", "shared", "parts"])
def test_no_activation_travels(found, name):
    """Statistics and gradients are summed over the devices; with cut parameters these are put together, each once."""
    step = found[f"travels {name}"]
    assert not step.keys() & {"all-to-all", "collective-permute", "reduce-scatter"}
    gathered = [shape.split("[")[1] for shape in step.get("all-gather", [])]
    assert {f"[{shape}" for shape in gathered} <= set(step["parameters"])
    assert len(gathered) == (0 if name == "whole" else 8)
    sums = {long(f"[{shape.split('[')[1]}") for shape in step["all-reduce"]}
    assert sums <= {*map(long, step["parameters"]), "[]"}


def long(shape):
    """Without axes of length 1, which later versions of XLA leave in sums over the others: "[1,1,24]" is "[24]"."""
    return f"[{','.join(n for n in shape.strip('[]').split(',') if n != '1')}]"


@pytest.mark.skipif(isinstance(library.find(), library.Missing), reason="no handlers here")
def test_a_cpus_own_kernels_compute_the_step(found):
    for name in ("whole", "shared"):
        used = found[f"travels {name}"]["own"]
        assert used == ["jaxcnn_moments", "jaxcnn_onednn_convolve", "jaxcnn_products", "jaxcnn_winograd"]


@pytest.mark.parametrize("name", ["whole", "shared", "parts"])
def test_the_old_state_is_donated(found, name):
    assert found[f"travels {name}"]["donated"] == found[f"travels {name}"]["leaves"]


def test_a_batch_is_gathered_where_it_is_needed(found):
    assert found["a batch"] == {}


def test_an_evaluation_gathers_its_probabilities_alone(found):
    assert found["evaluation"] == {"all-reduce": ["f32[]"] * 3, "all-gather": ["f32[16,10]"]}


@pytest.mark.parametrize("kernel", ["winograd", "onednn", "grouped"])
def test_convolutions_have_the_same_bits_on_any_number_of_devices(found, kernel):
    """y and dx; dkernel is a sum over the batch, whose order changes."""
    assert found[f"bits {kernel} y"]["same"]
    assert found[f"bits {kernel} dx"]["same"]
    assert found[f"bits {kernel} dkernel"]["error"] < 5e-6


def test_moments_differ_by_the_order_of_sums(found):
    assert found["bits moments"]["error"] < 2e-6


def test_a_parameter_of_8_mib(found):
    assert found["wide"]["part"] == [1024, 256]
    assert found["wide"]["error"] < 1e-6


def test_devices_that_are_not_there(found):
    assert found["devices"] == [8, 8]
    assert found["too many"] == (
        "devices is 16; expected at most the 8 that JAX has. JAX has started already: make them before, by "
        "jax_num_cpu_devices. Take fewer."
    )


@pytest.mark.parametrize(
    "options, message",
    [
        ({"devices": 0}, "devices is 0; expected 1 or more."),
        ({"num_processes": 2}, "num_processes is 2; expected coordinator= and process_id= beside it, or none of these"),
        (
            {"coordinator": "a:1", "process_id": 0},
            "coordinator is 'a:1'; expected num_processes= beside it, or none of these",
        ),
        ({"coordinator": "a", "num_processes": 2, "process_id": 0}, "coordinator is 'a'; expected a host and a port"),
        ({"coordinator": "a:1", "num_processes": 2, "process_id": 2}, "process_id is 2; expected 0 to 1."),
        (
            {"coordinator": "a:1", "num_processes": 2, "process_id": 0, "devices": 3},
            "devices is 3; expected a multiple of num_processes, which is 2.",
        ),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        DevicesRecipe(**options)


def test_a_batch_that_the_devices_do_not_divide():
    mesh = jax.sharding.AbstractMesh((3,), ("data",))
    recipe = OptimizationRecipe(batch_size=32)
    with pytest.raises(ValueError, match=r"^batch_size is 32, which 3 devices do not divide; take a multiple of 3"):
        experiment_of(recipe, data.load("digits"), models.create("lenet5", 10), placement=OnMesh(mesh))
