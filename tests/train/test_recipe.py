"""Options: what fills in those not given, what is refused, and the command that gives them again."""

from pathlib import Path

import pytest
import tyro

from jaxcnn.train.recipe import TrainConfig


@pytest.mark.parametrize(
    ("optimizer", "rate", "decay"), [("adamw", 0.005, 0.05), ("adam", 0.005, 0.0), ("nesterov", 0.05, 0.0005)]
)
def test_the_optimizer_decides_rate_and_decay_unless_given(optimizer, rate, decay):
    config = TrainConfig(optimizer=optimizer)
    assert (config.learning_rate, config.weight_decay) == (rate, decay)
    config = TrainConfig(optimizer=optimizer, learning_rate=1.0, weight_decay=0.0)
    assert (config.learning_rate, config.weight_decay) == (1.0, 0.0)


def test_the_loss_decides_the_label_smoothing_unless_given():
    assert TrainConfig().label_smoothing == 0.1
    assert TrainConfig(label_smoothing=0.0).label_smoothing == 0.0
    assert TrainConfig(loss="sigmoid").label_smoothing == 0.0


def test_the_run_folder_is_named_after_data_and_model(tmp_path):
    (tmp_path / "pets").mkdir()
    assert TrainConfig().out == Path("runs/digits-lenet5")
    assert TrainConfig(data="imagenet_resized/32x32").out == Path("runs/imagenet_resized-32x32-lenet5")
    assert TrainConfig(data=str(tmp_path / "pets")).out == Path("runs/pets-lenet5")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs is 0; expected 1 or more"),
        ({"batch_size": 0}, "batch_size is 0; expected 1 or more, or full"),
        ({"batch_size": "all"}, "batch_size is 'all'; expected 1 or more, or full"),
        ({"log_every": -1}, "log_every is -1; expected a number of steps, or 0"),
        ({"progress_every": "often"}, "progress_every is 'often'; expected a time such as 30s or 10m"),
        ({"wandb": ""}, "wandb is ''; expected the name of a project"),
        ({"image_size": 0}, "image_size is 0; expected 1 or more pixels"),
        ({"workers": 2, "stream": "never"}, "workers is 2; they decode streamed images, and stream is never"),
        ({"crop": 0.0}, "crop is 0.0; expected a share of the shorter side"),
        ({"resample": "nearest"}, "resample is 'nearest'; expected one of bilinear, bicubic"),
        ({"optimizer": "sdg"}, "optimizer is 'sdg'; expected one of sgd, momentum"),
        ({"schedule": "linear"}, "schedule is 'linear'; expected one of constant, step"),
        ({"loss": "hinge"}, "loss is 'hinge'; expected one of softmax, sigmoid"),
        ({"augment": "cutuot(8)"}, r"augment is 'cutuot\(8\)'; .* did you mean cutout\?"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0; expected a positive number"),
        ({"learning_rate": float("nan")}, "learning_rate is nan; expected a positive number"),
        ({"momentum": 1.0}, "momentum is 1.0; expected 0 or more and less than 1"),
        ({"weight_decay": -0.1}, "weight_decay is -0.1; expected 0 or more"),
        ({"label_smoothing": 1.0}, "label_smoothing is 1.0; expected 0 or more and less than 1"),
        ({"label_smoothing": 0.1, "loss": "sigmoid"}, "smoothing belongs to --loss softmax"),
        ({"warmup": 9.0, "epochs": 9}, "warmup is 9.0; expected 0 or more epochs and fewer than all 9"),
        ({"warmup": 1.0}, "onecycle brings its own rise"),
        ({"warmup_steps": 9}, "warmup_steps is 9; onecycle brings its own rise"),
        ({"warmup_steps": -1, "schedule": "step"}, "warmup_steps is -1; expected 0 or more steps"),
        (
            {"warmup_steps": 9, "warmup": 1.0, "schedule": "step"},
            "warmup_steps is 9; and warmup is 1.0 epochs; give one of them",
        ),
        ({"max_steps": 0}, "max_steps is 0; expected 1 or more"),
        ({"accumulate": 0}, "accumulate is 0; expected 1 or more parts"),
        ({"accumulate": 3}, "accumulate is 3; expected a number that divides batch_size, which is 64"),
        ({"clip_norm": 0.0}, "clip_norm is 0.0; expected a positive number"),
        ({"layer_decay": 0.0}, "layer_decay is 0.0; expected more than 0 and at most 1"),
        ({"ema": 1.0}, "ema is 1.0; expected more than 0 and less than 1"),
        ({"max_time": "soon"}, "max_time is 'soon'; expected a time such as 8h"),
        ({"save_every": "-1m"}, "save_every is '-1m'; expected a time such as 8h"),
        ({"patience": 0}, "patience is 0; expected 1 epoch or more"),
        ({"best_by": "accuracy"}, "best_by is 'accuracy'; expected one of eval_accuracy, eval_loss, "),
        ({"keep": 0}, "keep is 0; expected 1 checkpoint or more"),
        ({"seed": -1}, "seed is -1; expected an int from 0"),
        ({"overwrite": True, "resume": True}, "overwrite=True and resume=True exclude each other"),
    ],
)
def test_refused(options, message):
    with pytest.raises(ValueError, match=message):
        TrainConfig(**options)


@pytest.mark.parametrize(
    "config",
    [
        TrainConfig(),
        TrainConfig(loss="sigmoid", optimizer="sgd", batch_size="full", augment="flip-shift", out=Path("a folder/run")),
        TrainConfig(data="cifar10", data_dir=Path("/d"), weight_decay=0.0, skip_bad=True, seed=3),
    ],
)
def test_command_gives_the_same_configuration(config):
    import shlex

    words = shlex.split(config.command())
    assert words[:2] == ["jaxcnn", "train"]
    assert tyro.cli(TrainConfig, args=words[2:], config=(tyro.conf.FlagCreatePairsOff,)) == config


def test_folders_become_absolute_and_names_of_datasets_stay(tmp_path, monkeypatch):
    (tmp_path / "pets").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for data in ("pets", "~/pets"):
        config = TrainConfig(data=data, data_dir=Path("tfds"))
        assert config.data == str(tmp_path / "pets") and config.data_dir == tmp_path / "tfds"
        assert config.out == Path("runs/pets-lenet5")
    (tmp_path / "digits").mkdir()
    assert [TrainConfig(data=data).data for data in ("digits", "cifar10", "no/such")] == [
        "digits",
        "cifar10",
        "no/such",
    ]


def test_times_are_read_in_their_units():
    for text, expected in (("8h", 28800), ("1.5m", 90), ("45s", 45), ("45", 45), ("2d", 172800)):
        assert TrainConfig(max_time=text).seconds("max_time") == expected
    assert TrainConfig().seconds("save_every") == float("inf")
