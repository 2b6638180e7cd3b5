"""A run of two processes on one machine, as one process with as many devices; what becomes of it when one is gone."""

import json
import os
import signal
import socket
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from jaxcnn.interop import safetensors
from jaxcnn.train import hosts
from jaxcnn.train.measure_layers import MeasureLayers
from jaxcnn.train.placement import ONE_DEVICE
from jaxcnn.train.recipe.devices import DevicesRecipe
from jaxcnn.train.restore import restore
from jaxcnn.train.run_folder import open_run

OPTIONS = [
    *("--batch-size", "96", "--accumulate", "2", "--augment", "crop(2),cutout(4)", "--ema", "0.9", "--shard-params"),
    *("--devices", "4", "--image-size", "8", "--epochs", "3", "--save-every", "0.2s"),
    *("--optimizer", "momentum", "--learning-rate", "0.02"),
]
# A network of the user's own; its head is large enough to be cut.
NETWORK = """
from jaxcnn.layers import Activation, BatchNorm, Conv, Dense, Dropout, Flatten, chain

def network(classes):
    return chain(
        conv=Conv(8, 3, stride=2, use_bias=False), norm=BatchNorm(), relu=Activation("relu"), drop=Dropout(0.2),
        flatten=Flatten(), hidden=Dense(256), relu2=Activation("relu"), head=Dense(classes),
    )
"""
# Stops, or is killed, at a step of the second epoch; or fails.
PROGRAM = """
import os, signal, sys
from jaxcnn.cli.main import main
from jaxcnn.train import epochs

end, *arguments = sys.argv[1:]

def ending(self, step, metrics):
    if end == "error" and step == 5:
        raise ValueError("of this host alone.")
    if end.startswith("SIG") and step == (18 if end == "SIGKILL" else 25):
        os.kill(os.getpid(), getattr(signal, end))

from jaxcnn.train import loop
train, watcher = loop.train, type("Ending", (epochs.Watcher,), {"step_done": ending})()
loop.train = lambda config, *watchers: train(config, *watchers, watcher)
main(arguments)
"""


# Twenty steps of two processes, and, by the first alone, of one device; and one step of a wide layer.
STEPS = """
import json, sys
import jax, jax.numpy as jnp, numpy as np, optax
from jaxcnn import ops
from jaxcnn.data import augment
from jaxcnn.layers import Activation, BatchNorm, Conv, Dense, Dropout, Flatten, chain
from jaxcnn.train import hosts
from jaxcnn.train.placement import ONE_DEVICE, OnMesh
from jaxcnn.train.recipe import DevicesRecipe
from jaxcnn.train.state import TrainState
from jaxcnn.train.step import StepOptions, make_train_step

jax.config.update("jax_enable_x64", True)
port, number = map(int, sys.argv[1:])
recipe = DevicesRecipe(devices=4, coordinator=f"127.0.0.1:{port}", num_processes=2, process_id=number)
four = OnMesh(hosts.place(recipe).mesh, {"*": "largest"}, smallest=16)
rng = np.random.default_rng(0)


def trained(network, images, labels, optimizer, options, drawn, placement):
    step = make_train_step(
        network, optimizer, ops.softmax_cross_entropy, augment=drawn, options=options, placement=placement,
        normalise=lambda x: x.astype(jnp.float64) / 255,
    )

    def make():
        params, state = network.init(jax.random.key(0), jax.ShapeDtypeStruct((1, *images.shape[2:]), jnp.float64))
        params, state = jax.tree.map(lambda a: a.astype(jnp.float64), (params, state))
        average = (params, state) if options.ema else ()
        made = TrainState(params, state, optimizer.init(params), jnp.int32(0), jax.random.key(1), average)
        return placement.kept(made)

    state, losses = jax.jit(make)(), []
    for batch in zip(images, labels):
        state, metrics = step(state, *placement.batch([placement.part(a) for a in batch]))
        losses.append(float(metrics.loss))
    return losses, state, [np.asarray(a) for a in jax.tree.leaves(placement.fetched(state.params))]


def differ(a, b):
    return max(float(abs(x - y).max()) for x, y in zip(a, b))


tiny = chain(
    conv=Conv(8, 3), norm=BatchNorm(), relu=Activation("relu"), drop=Dropout(0.3), flatten=Flatten(), head=Dense(16)
)
images, labels = rng.integers(0, 256, (20, 16, 6, 6, 3), np.uint8), rng.integers(0, 16, (20, 16))
ways = (optax.sgd(0.1, momentum=0.9), StepOptions(accumulate=2, ema=0.9), augment.parse("crop(1),flip"))
places = {"four": four} | ({"one": ONE_DEVICE} if hosts.first() else {})
found = {where: trained(tiny, images, labels, *ways, placement) for where, placement in places.items()}
wide = chain(flatten=Flatten(), head=Dense(4096))
images, labels = rng.integers(0, 256, (1, 8, 32, 32, 2), np.uint8), rng.integers(0, 4096, (1, 8))
ways = (optax.sgd(1.0), StepOptions(), None)
both = {where: trained(wide, images, labels, *ways, placement) for where, placement in places.items()}
if hosts.first():
    print(json.dumps({
        "devices": four.devices,
        "loss": {where: losses for where, (losses, _, _) in found.items()},
        "params": differ(found["one"][2], found["four"][2]),
        "kept": both["four"][1].params["head"]["kernel"].addressable_shards[0].data.shape,
        "wide": differ(both["one"][2], both["four"][2]),
    }))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("hosts")
    (path / "network.py").write_text(NETWORK)
    return path


def started(folder, out, *options, ends="no", **environment):
    words = ["train", "--model", f"{folder}/network.py:network", *OPTIONS, "--out", str(folder / out), *options]
    return process([sys.executable, "-c", PROGRAM, ends, *words], **environment)


def process(command, **environment):
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"JAX_PLATFORMS": "cpu", **environment},
    )


def pair(folder, out, *options, second="no", slurm=False):
    """What two processes said, and their exit codes; the second's end is a minute before the first's at the most."""
    port = free_port()
    processes = []
    for number in range(2):
        if slurm:
            job = {"SLURM_JOB_ID": str(port - 61440), "SLURM_NTASKS": "2", "SLURM_STEP_NODELIST": "localhost"}
            where, environment = [], job | dict.fromkeys(["SLURM_PROCID", "SLURM_LOCALID"], str(number))
        else:
            where = ["--coordinator", f"127.0.0.1:{port}", "--num-processes", "2", "--process-id", str(number)]
            environment = {}
        ends = second if number == 1 else "no"
        processes.append(started(folder, out, *options, *where, ends=ends, **environment))
    last = finished(processes[1])
    return finished(processes[0], seconds=60), last


def free_port():
    """One of those that Slurm's job numbers are mapped to."""
    for port in np.random.default_rng().permutation(np.arange(61440, 65536)):
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", int(port))):
                return int(port)
    raise AssertionError("no port is free")


def finished(process, seconds=300):
    try:
        out, err = process.communicate(timeout=seconds)
    finally:
        process.kill()
    return SimpleNamespace(out=out, err=err, code=process.returncode)


def parameters(run):
    return safetensors.load((run / "model/last/weights.safetensors").read_bytes())


@pytest.fixture(scope="module")
def two(folder):
    """A run of two processes, which Slurm's environment tells of one another."""
    return pair(folder, "two", slurm=True)


@pytest.fixture(scope="module")
def killed(folder):
    """Another, of which the second process is killed in the second epoch."""
    return pair(folder, "three", second="SIGKILL")


@pytest.fixture(scope="module")
def stopped(folder, killed):
    """It goes on, and the second process gets a SIGTERM."""
    return pair(folder, "three", "--resume", second="SIGTERM")


@pytest.fixture(scope="module")
def resumed(folder, stopped):
    """It goes on to the end."""
    return pair(folder, "three", "--resume")


def test_two_processes_are_as_one_device():
    """Twenty steps in float64 with four devices, each of which keeps a part of the parameters, against those of one."""
    port, processes = free_port(), []
    for number in range(2):
        processes.append(process([sys.executable, "-c", STEPS, str(port), str(number)]))
    both = [finished(process) for process in processes]
    assert [process.code for process in both] == [0, 0], both[0].err
    found = json.loads(both[0].out)
    assert found["devices"] == 4 and len(found["loss"]["one"]) == 20
    np.testing.assert_allclose(found["loss"]["four"], found["loss"]["one"], rtol=1e-12)
    assert found["params"] < 1e-12
    assert found["kept"] == [2048, 1024]  # 16 MiB of a kernel on each device
    assert found["wide"] < 1e-12


def test_the_first_alone_speaks(two):
    first, second = two
    assert [first.code, second.code] == [0, 0], first.err
    assert second.out == second.err == first.err == ""
    lines = first.out.splitlines()
    assert [line.split()[0] for line in lines] == [
        *("network.py:network,", "images:", "first", "epoch", "1", "2", "3", "handwritten", "test", "run", "page")
    ]


def test_a_model_is_whole(folder, two):
    """Also of parameters that are cut over the processes."""
    written = parameters(folder / "two")
    assert {path: array.shape for path, array in written.items() if path.endswith("hidden/kernel")} == {
        "params/hidden/kernel": (128, 256),
        "ema/params/hidden/kernel": (128, 256),
    }


def test_layers_are_measured_by_both_and_told_once(folder, two):
    """Of parameters that are cut over the processes, as one device measures them."""
    steps = [record["step"] for record in open_run(folder / "two").layers()]
    assert steps == [0, 14, 28, 42]
    restored, records = restore(folder / "two"), []
    watcher = MeasureLayers([records.append])
    watcher.started(restored.experiment, 42)
    watcher.stands(42, restored.state)
    last, (expected,) = open_run(folder / "two").layers()[-1], records
    assert list(last["delta"]) == ["conv", "norm", "relu", "drop", "flatten", "hidden", "relu2", "head"]
    for kind in ("delta", "gradient"):
        assert last[kind] == pytest.approx(expected[kind], rel=1e-4)


def test_one_that_is_killed_ends_the_other(killed):
    first, second = killed
    assert second.code == -signal.SIGKILL
    assert first.code == 3
    assert first.err.splitlines()[-1] == (
        "error: process 1 of the run is gone; its own output may say why. Start all of them again with --resume."
    )


def test_a_signal_to_one_stops_both_at_the_same_step(folder, stopped):
    first, second = stopped
    assert [first.code, second.code] == [128 + signal.SIGTERM] * 2, first.err + second.err
    assert "stopped after step" in first.out
    assert "go on with: jaxcnn train" in first.out and not second.out


def test_a_run_that_was_killed_and_stopped_ends_in_the_same_bits(folder, two, resumed):
    assert [process.code for process in resumed] == [0, 0], resumed[0].err
    expected, got = parameters(folder / "two"), parameters(folder / "three")
    assert expected.keys() == got.keys()
    for path in expected:
        np.testing.assert_array_equal(got[path], expected[path], err_msg=path)


def test_what_the_first_refuses_all_refuse(folder, resumed):
    first, second = pair(folder, "three")
    assert [first.code, second.code] == [2, 2]
    assert first.err == second.err
    assert "three exists already" in first.err


def test_an_error_of_one_ends_both(folder):
    first, second = pair(folder, "four", second="error")
    assert (second.code, second.err) == (2, "error: of this host alone.\n")
    assert first.code == 3
    assert first.err.startswith("error: process 1 of the run is gone; its own output may say why.")


def test_processes_with_other_options_are_refused(monkeypatch):
    told = []
    monkeypatch.setattr(hosts, "process_allgather", lambda mine: told.append(mine) or np.stack([mine, told[0]]))
    hosts.check_same({"learning_rate": 0.1, "seed": 0})  # alone, a process asks nobody
    assert not told
    monkeypatch.setattr(hosts, "several", lambda: True)
    hosts.check_same({"learning_rate": 0.1, "seed": 0})
    with pytest.raises(ValueError, match=r"^learning_rate is not the same in all processes; give each of them"):
        hosts.check_same({"learning_rate": 0.2, "seed": 0})


def test_nothing_is_cut_over_one_device():
    with pytest.warns(UserWarning, match="shard_params cuts nothing: there is one device"):
        assert hosts.place(DevicesRecipe(shard_params=True)) is ONE_DEVICE


def test_a_process_takes_its_share_of_the_cores():
    assert hosts.threads(16, sharing=2, devices=1) == 8
    assert hosts.threads(2, sharing=2, devices=1) == 1
    assert hosts.threads(1, sharing=2, devices=1) == 1
    assert hosts.threads(16, sharing=4, devices=8) == 16  # each of which waits for the others in a thread


@pytest.mark.parametrize(
    "environment, launched",
    [
        ({}, False),
        ({"SLURM_NTASKS": "4", "SLURM_PROCID": "1"}, True),
        ({"SLURM_NTASKS": "1", "SLURM_PROCID": "0"}, False),
        ({"SLURM_NTASKS": "4"}, False),  # in a job, and not started by srun
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1", "JOB_COMPLETION_INDEX": "1"}, True),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, False),  # any pod
    ],
)
def test_who_started_several_processes(monkeypatch, environment, launched):
    for name in ("SLURM_NTASKS", "SLURM_PROCID", "KUBERNETES_SERVICE_HOST", "JOB_COMPLETION_INDEX"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert hosts.launched() == launched
