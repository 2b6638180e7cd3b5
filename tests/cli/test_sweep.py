"""`jaxcnn train` of several runs: what the command takes for a grid, its table, and how it goes on."""

import json
import re
import signal

import pytest

from jaxcnn.cli.main import parse
from jaxcnn.cli.sweep import SweepOptions, parsed
from jaxcnn.cli.train import TrainOptions
from jaxcnn.train import loop
from jaxcnn.train.restore import restore
from jaxcnn.train.watch import Watcher
from tests.report.pages import Page
from tests.train.tiny import OPTIONS, STEPS

BUT_RATE = {name: value for name, value in OPTIONS.items() if name != "learning_rate"}
TINY = [word for name, value in BUT_RATE.items() for word in (f"--{name.replace('_', '-')}", str(value))]


def several(*words):
    options = parsed(["train", *words], parse)
    return options.several if isinstance(options, SweepOptions) else None


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--lr", "0.1,3e-2"], {"learning_rate": [0.1, 0.03]}),
        (["--learning-rate=0.1,0.03", "--epochs", "3"], {"learning_rate": [0.1, 0.03]}),
        (["--lr", "0.1", "--learning_rate", "0.03"], None),
        (["--lr", "0.1", "--learning_rate", "0.03,0.01"], {"learning_rate": [0.03, 0.01]}),
        (["--optimizer", "adamw,sgd", "--seed", "1,2,3"], {"optimizer": ["adamw", "sgd"], "seed": [1, 2, 3]}),
        (["--batch-size", "16,full"], {"batch_size": [16, "full"]}),
        (["--augment", "crop(1,reflect),flip", "--augment", "none"], {"augment": ["crop(1,reflect),flip", "none"]}),
        (["--freeze", "conv*/*,bn/*", "--overwrite", "--freeze", "x"], {"freeze": ["conv*/*,bn/*", "x"]}),
        (["--model", "lenet5,resnet20"], {"model": ["lenet5", "resnet20"]}),
        (["--ema", "None,0.9"], {"ema": [None, 0.9]}),
        (["--augment", "crop(1,reflect),flip", "--freeze", "a,b"], None),
        (["--lr", "0.1"], None),
        (["--seeds", "3"], {}),
        (["--seeds", "1"], None),
    ],
)
def test_what_has_several_values(words, expected):
    assert several(*words) == expected


def test_a_path_with_a_comma_is_one_value(tmp_path):
    (tmp_path / "a,b").mkdir()
    (tmp_path / "a,b/net.py").touch()
    assert several("--data", str(tmp_path / "a,b"), "--model", f"{tmp_path / 'a,b/net.py'}:f") is None


def test_the_other_options_are_as_they_were_typed():
    options = parsed(["train", "--lr", "0.1,0.2", "--epochs", "7", "--overwrite", "--seeds", "2"], parse)
    assert (options.epochs, options.overwrite, options.seeds, options.learning_rate) == (7, True, 2, 0.1)
    assert type(parsed(["train", "--epochs", "7"], parse)) is TrainOptions
    repeated = parsed(["train", "--lr", "0.1", "--epochs", "7", "--learning-rate", "0.2", "--epochs", "8"], parse)
    assert (repeated.learning_rate, repeated.epochs) == (0.2, 8)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--lr", "0.1,-1"], "error: --learning-rate is -1.0; expected a positive number, such as 0.005."),
        (["--lr", "0.1,1e-1"], "error: --learning-rate is 0.1, 0.1; expected different values, each once."),
        (["--seeds", "0"], "error: --seeds is 0; expected 1 or more."),
        (["--devices", "1,2"], "error: --devices is 1, 2; expected one value for all runs."),
        (["--stream", "always,never"], "error: --stream is always, never; expected one value for all runs."),
        (["--batch-size", "64,9999"], "error: --batch-size is 9999, more than the 1437 training images"),
        (
            ["--seeds", "2", "--together", "yes", "--patience", "3"],
            "error: --together is 'yes', but --patience 3 may stop",
        ),
    ],
)
def test_a_wrong_value_is_an_error_before_anything_is_trained(jaxcnn, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = jaxcnn("train", "--image-size", 8, *words)
    assert (code, out) == (2, "") and err.startswith(message)
    assert list(tmp_path.iterdir()) == []


def test_a_word_that_is_none_is_refused_as_in_a_single_run(jaxcnn):
    code, _, err = jaxcnn("train", "--optimizer", "adamw,sdg")
    assert code == 2 and "'sdg'" in err.replace("\n", "")


def rows(out):
    return [re.split(r"\s*│\s*", line.strip("│ ")) for line in out.splitlines() if line.startswith("│")]


def test_seeds_are_told_with_mean_and_deviation(jaxcnn, tmp_path):
    code, out, _ = jaxcnn("train", *TINY, "--seeds", 2, "--seed", 5, "--together", "no", "--out", tmp_path)
    assert code == 0
    written = json.loads((tmp_path / "results.json").read_text())
    (point,) = written["points"]
    assert rows(out) == [[str(5 + i), f"{a:.4f}"] for i, a in enumerate(point["test_accuracies"])]
    lines = out.splitlines()
    assert f"test accuracy {point['test_mean']:.4f} ± {point['test_deviation']:.4f} over 2 seeds" in lines
    assert [line for line in lines if line.startswith("run ")] == [
        f"run 1 of 2: {tmp_path / 'seed5'}",
        f"run 2 of 2: {tmp_path / 'seed6'}",
    ]
    assert lines[-1] == f"results in {tmp_path / 'results.json'}"
    assert lines[-2] == f"page {tmp_path / 'report.html'}"
    mean_of_both = f"{100 * point['test_mean']:.2f} % ± {100 * point['test_deviation']:.2f} %"
    assert mean_of_both in Page((tmp_path / "report.html").read_text(encoding="utf-8")).text
    assert sum(line.startswith("handwritten gradients agree") for line in lines) == 1
    for seed in (5, 6):
        assert {"curves.png", "predictions.png"} <= {path.name for path in (tmp_path / f"seed{seed}").iterdir()}
        code, of_one, _ = jaxcnn("eval", tmp_path / f"seed{seed}")
        assert code == 0 and of_one.splitlines()[-1] == f"test accuracy {point['test_accuracies'][seed - 5]:.4f}"


def test_a_grid_is_a_table_with_the_best_first_and_one_that_diverges_in_it(jaxcnn, tmp_path):
    code, out, _ = jaxcnn(
        *("train", *TINY, "--optimizer", "sgd", "--lr", "1e30,1e-9,0.05", "--seeds", 2),
        *("--together", "yes", "--out", tmp_path),
    )
    first, second, last = rows(out)
    assert code == 0
    assert [row[0] for row in (first, second, last)] == ["0.05", "1e-09", "1e+30"]
    assert re.fullmatch(r"0\.\d{4} ± 0\.\d{4}", first[1]) and last[1] == "2 of 2 diverged"
    assert "runs 1 to 2 of 6, as one program: " in out
    assert (tmp_path / "learning_rate=0.05/seed1/model/last/weights.safetensors").is_file()


def test_all_that_diverge_are_a_failure(jaxcnn, tmp_path):
    code, out, _ = jaxcnn("train", *TINY, "--optimizer", "sgd", "--lr", "1e30,1e29", "--out", tmp_path)
    assert code == 1 and [row[1] for row in rows(out)] == ["diverged", "diverged"]


def test_stopped_it_says_how_to_go_on_and_goes_on(jaxcnn, tmp_path, monkeypatch):
    train = loop.train

    class Term(Watcher):
        def step_done(self, step, metrics):
            if step == 3:
                signal.raise_signal(signal.SIGTERM)

    def second_is_stopped(config, *watchers, **options):
        return train(config, *watchers, *([Term()] if config.seed == 1 else []), **options)

    monkeypatch.setattr("jaxcnn.train.sweep.train", second_is_stopped)
    words = ["train", *TINY, "--seeds", "3", "--together", "no", "--out", str(tmp_path)]
    code, out, _ = jaxcnn(*words)
    assert code == 143
    assert rows(out)[1] == ["1", "stopped"] and len(rows(out)) == 2
    said = f"stopped after 1 of 3 runs; go on with: jaxcnn {' '.join(words)} --resume"
    assert out.splitlines()[-1] == said
    monkeypatch.undo()
    code, out, _ = jaxcnn(*said.split(": jaxcnn ")[1].split())
    assert code == 0 and [line for line in out.splitlines() if line.startswith("run ")] == [
        f"run 2 of 3: {tmp_path / 'seed1'}",
        f"run 3 of 3: {tmp_path / 'seed2'}",
    ]
    assert len(rows(out)) == 3 and restore(tmp_path / "seed1").state.step == 2 * STEPS
