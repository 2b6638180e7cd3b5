"""The ablation, for a few steps on digits."""

from dataclasses import fields, replace
from statistics import mean, stdev

import jax
import jax.numpy as jnp
import pytest

from experiments import ablation as experiment
from jaxcnn.layers import Activation, AvgPool, BatchNorm, Conv, Dropout, MaxPool
from jaxcnn.layers.combine import Chain

DIGITS = replace(experiment.RECIPE, data="digits", epochs=1)


def test_the_table_has_a_row_for_each_variant_and_the_numbers_of_its_runs(tmp_path, capsys):
    found = experiment.main(DIGITS, ["base", "dropout 0.5"], 2, None, tmp_path)
    rows = [line.strip("│").split("│") for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    assert [row[0].strip() for row in rows] == ["base", "dropout 0.5"]
    for row, runs in zip(rows, found.values(), strict=True):
        percent = [100 * run.test for run in runs], [100 * (run.train - run.test) for run in runs]
        assert [cell.strip() for cell in row[1:3]] == [f"{mean(p):.2f} ± {stdev(p):.2f}" for p in percent]
        assert min(run.test for run in runs) > 0.2, "chance is 0.1"
        assert runs[0] != runs[1]
    assert (tmp_path / "ablation.png").read_bytes().startswith(b"\x89PNG")


def test_one_seed_has_no_spread(tmp_path):
    with pytest.raises(SystemExit, match="--seeds is 1; expected 2 or more"):
        experiment.main(DIGITS, ["base"], 1, None, tmp_path)


def undone(name, layer):
    """A layer of a variant as the base has it; None for one that the base lacks."""
    if isinstance(layer, Activation):
        return replace(layer, name="relu")
    if isinstance(layer, AvgPool):
        return MaxPool(2)
    if isinstance(layer, Conv):
        return replace(layer, stride=1, padding="SAME", use_bias=False)
    return None if isinstance(layer, Dropout) else layer


@pytest.mark.parametrize("name", list(experiment.VARIANTS)[1:])
def test_a_variant_differs_from_the_base_in_one_choice_and_in_those_layers_only(name):
    variant = experiment.VARIANTS[name]
    changed = [f.name for f in fields(variant) if getattr(variant, f.name) != getattr(experiment.BASE, f.name)]
    assert len(changed) == 1
    kinds = {
        "batch_norm": (BatchNorm, Conv),  # without batch norm a convolution has a bias
        "dropout": (Dropout,),
        "padding": (Conv,),
        "halve": (MaxPool, AvgPool, Conv),
        "activation": (Activation,),
        "convolutions": (Conv, BatchNorm, Activation),
    }[changed[0]]
    base, net = (experiment.network(v) for v in (experiment.BASE, variant))
    ours, theirs = dict(base.parts), dict(net.parts)
    differing = [part for part in ours.keys() | theirs.keys() if ours.get(part) != theirs.get(part)]
    assert differing, "the variant is the base"
    assert all(isinstance(parts[part], kinds) for part in differing for parts in (ours, theirs) if part in parts)
    shared = [part for part in theirs if part in ours]
    assert all(undone(part, theirs[part]) == ours[part] for part in shared)
    assert shared == [part for part in ours if part in theirs], "in another order"


@pytest.mark.parametrize("name", experiment.VARIANTS)
def test_what_both_have_starts_from_the_same_weights(name):
    """The key of a layer comes from its name: a variant's kernels are the base's where the shapes agree."""
    image = jax.ShapeDtypeStruct((1, 28, 28, 1), jnp.float32)
    base, net = (
        experiment.network(v).init(jax.random.key(0), image)[0] for v in (experiment.BASE, experiment.VARIANTS[name])
    )
    for part in base.keys() & net.keys():
        if (
            base[part].keys() == net[part].keys() == {"kernel"}
            and base[part]["kernel"].shape == net[part]["kernel"].shape
        ):
            assert (base[part]["kernel"] == net[part]["kernel"]).all()


def test_the_last_layer_before_the_head_sees_an_image_of_the_same_size_or_smaller_without_padding():
    sizes = {}
    for name, variant in experiment.VARIANTS.items():
        net = experiment.network(variant)
        body = Chain(net.parts[: [part for part, _ in net.parts].index("mean")])
        x = jax.ShapeDtypeStruct((1, 28, 28, 1), jnp.float32)
        params, state = jax.eval_shape(lambda body=body, x=x: body.init(jax.random.key(0), x))
        sizes[name] = jax.eval_shape(lambda p, s, x, body=body: body.apply(p, s, x)[0], params, state, x).shape[1:3]
    assert sizes.pop("no padding") == (4, 4)
    assert set(sizes.values()) == {(7, 7)}
