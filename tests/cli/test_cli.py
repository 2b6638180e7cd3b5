"""The `jaxcnn` command as a newcomer types it: what it prints, its exit codes, its errors."""

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from PIL import Image

from jaxcnn.cli.main import RUN, main
from jaxcnn.cli.summary import SummaryOptions
from jaxcnn.cli.train import in_options
from jaxcnn.train import gradients
from tests.cli.printed import tables
from tests.train.tiny import config


@pytest.fixture
def run_folder(trained, tmp_path):
    return shutil.copytree(trained.run.path, tmp_path / "run")


def test_train_prints_a_line_an_epoch_the_check_and_the_result(jaxcnn, tmp_path):
    code, out, _ = jaxcnn(*config(tmp_path / "run").command().split()[1:])
    lines = out.splitlines()
    assert code == 0
    assert lines[0].startswith("tiny, ") and lines[0].endswith(
        "on digits: 1,437 images to train on and 360 to test, 8×8×1, 10 classes"
    )
    parts = "every fifth picture of each class is for testing"
    assert re.fullmatch(rf"images: scikit-learn's digits; {parts}; in memory, \d+ kB of pixels", lines[1])
    heads = ("epoch", "train loss", "accuracy", "test loss", "accuracy", "images/s", "waiting", "seconds")
    assert re.fullmatch(r"first step after \d+\.\d s", lines[2])
    assert re.split("  +", lines[3]) == list(heads)
    assert [line.split()[0] for line in lines[4:6]] == ["1", "2"]
    assert re.fullmatch(r"handwritten gradients agree with jax\.grad: largest difference .*", lines[6])
    assert lines[7] == f"test accuracy {float(lines[5].split()[4]):.4f}"
    assert lines[8] == f"run folder {tmp_path / 'run'}"
    assert lines[9] == f"page {tmp_path / 'run' / 'report.html'}"
    assert len(lines) == 10 and "\033" not in out


def test_train_says_whose_weights_it_begins_with_and_what_is_computed_once(jaxcnn, trained, tmp_path):
    new = config(tmp_path / "run", init_from=str(trained.run.path), freeze="backbone", image_size=None, epochs=1)
    code, out, _ = jaxcnn(*new.command().split()[1:])
    assert code == 0
    lines = out.splitlines()
    assert lines[2] == f"weights: of {trained.run.path}, by the names of jaxcnn"  # the same classes, so the same head
    assert lines[3].startswith("recipe: ") and "augment none" in lines[3]
    assert lines[4] == "features: computed once, since all below the head is frozen"
    changed = dataclasses.replace(new, out=tmp_path / "other", augment="shift", epochs=1)
    code, out, _ = jaxcnn(*changed.command().split()[1:], "--dry-run")
    assert "features: computed at each step, since shift changes the images; once with --augment none" in out


def test_gradients_of_a_large_network_are_checked_on_demand_alone(jaxcnn, tmp_path, monkeypatch):
    monkeypatch.setattr("jaxcnn.train.gradients.LARGE", 1000)
    code, out, _ = jaxcnn(*config(tmp_path / "run", epochs=1).command().split()[1:])
    said = f"gradients are not checked, for which this network is large; do it with: jaxcnn check {tmp_path / 'run'}"
    assert code == 0 and said in out and "gradients agree" not in out


def test_train_with_wrong_gradients_says_so_and_fails(jaxcnn, tmp_path, monkeypatch):
    true = gradients.backprop

    def doubled(*arguments, **options):
        result = true(*arguments, **options)
        head = {name: 2 * g for name, g in result.gradients["head"].items()}
        return result._replace(gradients=result.gradients | {"head": head})

    monkeypatch.setattr(gradients, "backprop", doubled)
    code, out, _ = jaxcnn(*config(tmp_path / "run", epochs=1).command().split()[1:])
    assert code == 1
    assert "handwritten gradients DO NOT agree with jax.grad: largest difference 1.0e+00" in out


def test_eval_prints_each_class_the_confusion_matrix_and_the_totals(jaxcnn, trained):
    code, out, _ = jaxcnn("eval", trained.run.path)
    (headings, *rows), (said_of, *matrix) = tables(out)
    assert code == 0
    assert headings == ["class", "images", "right", "recall", "precision", "most often taken for"]
    assert [row[0] for row in rows] == said_of[1:] == [row[0] for row in matrix] == list("0123456789")
    evaluation = trained.evaluation
    truth, said = trained.experiment.dataset.test_labels, evaluation.probabilities.argmax(1)
    assert sum(int(row[2]) for row in rows) / 360 == evaluation.accuracy
    for label, row in enumerate(rows):
        mistakes = [str(s) for t, s in zip(truth, said, strict=True) if t == label != s]
        most = max(sorted(set(mistakes)), key=mistakes.count, default=None)
        assert row[5] == ("" if most is None else f"{most} ({mistakes.count(most)})")
        right = ((truth == label) & (said == label)).sum()
        assert [int(cell) for cell in row[1:3]] == [(truth == label).sum(), right]
        assert row[3:5] == [f"{right / n:.4f}" if n else "" for n in ((truth == label).sum(), (said == label).sum())]
        counts = [((truth == label) & (said == other)).sum() for other in range(10)]
        assert matrix[label][1:] == [str(count) if count else "" for count in counts]
    recalls = [(said[truth == label] == label).mean() for label in range(10)]
    assert out.splitlines()[-5:] == [
        f"test loss {evaluation.loss:.4f}",
        f"expected calibration error {evaluation.calibration_error:.4f}, confidence against accuracy in 15 bins",
        f"balanced accuracy {sum(recalls) / 10:.4f}, the mean of the classes' recalls",
        f"top-5 accuracy {evaluation.top5:.4f}",
        f"test accuracy {evaluation.accuracy:.4f}",
    ]


def test_eval_names_the_most_confused_pairs_where_the_matrix_is_too_wide(jaxcnn, named, trained):
    names = [f"number {n}" for n in range(10)]
    code, out, _ = jaxcnn("eval", named(*names))
    _, (headings, *pairs) = tables(out)
    assert code == 0 and headings == ["of class", "taken for", "images", "of the class"]
    truth, said = trained.experiment.dataset.test_labels, trained.evaluation.probabilities.argmax(1)
    mistakes = [(names[t], names[s]) for t, s in zip(truth, said, strict=True) if t != s]
    counts = [int(row[2]) for row in pairs]
    assert counts == sorted(map(mistakes.count, set(mistakes)), reverse=True)[:10]
    for true, taken_for, count, share in pairs:
        assert mistakes.count((true, taken_for)) == int(count)
        assert share == f"{int(count) / (truth == names.index(true)).sum():.4f}"


def change(file, **fields):
    """Write other fields into a model.json, as one by hand would."""
    written = json.loads(file.read_text())
    del written["sha256"]
    file.write_text(json.dumps(written | fields))


@pytest.fixture
def named(run_folder, trained, monkeypatch):
    """Give the first classes of the run other names."""

    def name(*names):
        from jaxcnn import data

        classes = [*names, *map(str, range(len(names), 10))]
        dataset = dataclasses.replace(trained.experiment.dataset, classes=tuple(classes))
        monkeypatch.setattr(data, "load", lambda *a, **k: dataset)
        change(run_folder / "model/last/model.json", classes=classes)
        return run_folder

    return name


def test_class_names_are_no_markup(jaxcnn, named):
    names = ("[red]", "[/]", ":cat:", "$5_$10")
    code, out, _ = jaxcnn("eval", named(*names))
    assert code == 0 and [name for name in names if f"│ {name} " not in out] == []


def test_class_names_do_not_control_the_console(jaxcnn, named):
    code, out, _ = jaxcnn("eval", named("\x1b[31mred", "bell\x07", "\x9b2J", "back\x08\r", "a\tb"))
    assert code == 0 and re.findall(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", out) == []
    for shown in (r"\x1b[31mred", r"bell\x07", r"\x9b2J", r"back\x08\r"):
        assert f"│ {shown} " in out


def test_errors_do_not_control_the_console(jaxcnn):
    code, _, err = jaxcnn("eval", "/nowhere/\x1b[31mred\x07")
    assert code == 2 and err.startswith(r"error: /nowhere/\x1b[31mred\x07 is not a run folder")


@pytest.mark.parametrize("columns", ["1", "20"])
def test_tables_on_a_narrow_terminal_cut_nothing_off(jaxcnn, named, monkeypatch, columns):
    long = "x" * 200
    run = named(long)
    _, wide, _ = jaxcnn("eval", run)
    monkeypatch.setenv("COLUMNS", columns)
    for command in ("eval", "check"):
        code, out, _ = jaxcnn(command, run)
        assert code == 0 and "…" not in out
        assert command == "check" or (out == wide and "most often" in out and out.count("x") >= 200)


def test_eval_of_the_best_checkpoint(jaxcnn, trained):
    best = max(record["eval_accuracy"] for record in trained.run.metrics())
    code, out, _ = jaxcnn("eval", trained.run.path, "--checkpoint", "best")
    assert code == 0 and out.endswith(f"test accuracy {best:.4f}\n")


def test_check_prints_the_layers_and_draws(jaxcnn, run_folder):
    code, out, _ = jaxcnn("check", run_folder, "--images", "4")
    assert code == 0
    assert [line.split()[1] for line in out.splitlines() if line.startswith("│")] == [
        *("conv", "bn", "relu", "drop", "flatten", "head")
    ]
    assert "relative over 6 arrays (float64, 4 images)" in out
    assert (run_folder / "gradients.png").stat().st_size > 10_000


def test_a_picture_that_cant_be_drawn_does_not_decide_the_exit(jaxcnn, run_folder):
    (run_folder / "gradients.png").mkdir()
    code, out, err = jaxcnn("check", run_folder)
    assert code == 0 and "agree with jax.grad" in out and "picture" not in out
    assert err.startswith(f"warning: {run_folder}/gradients.png could not be drawn (") and err.count("\n") == 1


@pytest.mark.parametrize(("line", "lost"), [(r'"epoch": 1', "1 of 2 epochs (1)"), ("(?s).*", "2 of 2 epochs (1, 2)")])
def test_a_run_goes_on_without_lines_of_the_metrics_and_names_what_the_curves_lack(jaxcnn, run_folder, line, lost):
    file = run_folder / "metrics.jsonl"
    file.write_text(re.sub(line, '"epoch": "1"', file.read_text(), count=1))
    code, _, err = jaxcnn(*config(run_folder).command().split()[1:], "--resume")
    warned = [f"warning: {file} has lost {lost}; only the learning curves lack them."]
    if lost.startswith("2"):
        reason = f"ValueError: {file} holds no epochs any more"
        warned.append(f"warning: {run_folder}/curves.png could not be drawn ({reason}); all else is done.")
        reason = f"ValueError: {run_folder} has no epoch to report: its metrics.jsonl tells of none"
        warned.append(f"warning: {run_folder}/report.html could not be drawn ({reason}")
    told = err.splitlines()
    assert code == 0 and len(told) == len(warned)
    assert all(map(str.startswith, told, warned))


def test_check_of_a_network_of_another_shape_fails(jaxcnn, run_folder):
    change(run_folder / "model/last/model.json", network="lenet5")
    code, _, err = jaxcnn("check", run_folder)
    assert code == 2 and err == (
        f"error: {run_folder}/model/last/weights.safetensors does not fit the network lenet5: params/bn/bias: "
        "it has the shape (4,), and the network none.\n"
    )


def test_summary(jaxcnn):
    code, out, _ = jaxcnn("summary", "lenet5", "--input", "28,28,1", "--classes", "7")
    assert code == 0
    assert "conv1" in out and "28×28×6" in out and "head" in out


def test_summary_on_a_narrow_terminal_cuts_nothing_off(jaxcnn, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("FORCE_COLOR", "1")  # what makes rich take a pipe for a terminal
    _, out, _ = jaxcnn("summary", "resnet18", "--input", "64,64,3")
    assert "…" not in out and "block" in out and "receptive field" in out


def test_bad_pictures_are_one_line_and_the_run_works_from_another_folder(jaxcnn, tmp_path, monkeypatch):
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for i in range(5):
            Image.new("L", (8, 8), 20 * i).save(tmp_path / "pets" / name / f"{i}.png")
    (tmp_path / "pets/cat/4.png").write_text("no picture")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    options = ("--model", "tiny", "--epochs", "1", "--batch-size", "4")
    code, _, err = jaxcnn("train", "--data", "pets", *options)
    assert code == 2 and err.endswith("Repair or remove them, or leave them out with --skip-bad.\n")
    code, _, err = jaxcnn("train", "--data", "pets", "--skip-bad", *options)
    warning = f"warning: left out 1 of 10 pictures, which can't be read: {tmp_path}/pets/cat/4.png (not a picture of "
    assert code == 0 and err.startswith(warning) and err.count("\n") == 1
    monkeypatch.chdir(tmp_path / "elsewhere")
    code, out, again = jaxcnn("eval", "../runs/pets-tiny")
    assert code == 0 and "test accuracy" in out and again == err


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("give image_size=64.", "give --image-size 64."),
        ("with skip_bad=True, or", "with --skip-bad, or"),
        ("there (data_dir= or TFDS_DATA_DIR)", "there (--data-dir or TFDS_DATA_DIR)"),
        ("options: model was 'a' and is now 'b'; seed was 0", "options: --model was 'a' and is now 'b'; --seed was 0"),
        ("/d/image_size/x: the model is large", "/d/image_size/x: the model is large"),
    ],
)
def test_train_says_options_for_arguments(said, shown):
    assert in_options(said) == shown


def test_ctrl_c_in_a_compilation_leaves_without_pythons_own_exit(capfd, monkeypatch):
    def compile(options):
        raise KeyboardInterrupt

    monkeypatch.setitem(RUN, SummaryOptions, compile)
    monkeypatch.setattr(os, "_exit", lambda code: sys.exit(f"left with {code}"))
    with pytest.raises(SystemExit, match="left with 130"):
        main(["summary", "lenet5", "--input", "28,28,1"])
    assert capfd.readouterr().err == "error: stopped.\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("eval", "/nowhere/run"), "/nowhere/run is not a run folder"),
        (("check", "/nowhere/run"), "/nowhere/run is not a run folder"),
        (("check", "/nowhere/run", "--images", "0"), "--images is 0; expected 1 or more"),
        (("summary", "lenet", "--input", "28,28,1"), "Did you mean 'lenet5'?"),
        (("summary", "lenet5", "--input", "28x28"), "--input is '28x28'; expected height, width and channels"),
        (("summary", "vgg16", "--input", "224,224"), "--input is '224,224'; expected height, width and channels"),
        (("summary", "lenet5", "--input", "28,0,1"), "--input is '28,0,1'; expected height, width and channels"),
        (("summary", "lenet5", "--input", "28,28,1", "--classes", "0"), "--classes is 0; expected 1 or more"),
        (("train", "--out", "/proc/run"), "the run folder /proc/run cannot be written"),
        (("train", "--epochs", "0"), "error: --epochs is 0; expected 1 or more"),
        (("train", "--learning-rate", "nan"), "error: --learning-rate is nan; expected a positive number"),
        (("train", "--overwrite", "--resume"), "error: --overwrite and --resume exclude each other"),
        (("train", "--loss", "sigmoid", "--label-smoothing", "0.1"), "error: --label-smoothing is 0.1; smoothing"),
        (("train", "--model", "lenet"), "error: --model is 'lenet'. Did you mean 'lenet5'?"),
        (("train", "--data", "cifer10"), "error: no dataset or folder is called 'cifer10'. Did you mean 'cifar10'?"),
        (("train", "--batch-size", "9999"), "error: --batch-size is 9999, more than the 1437 training images"),
        (("train", "--model", "vgg11"), "Resize the images with --image-size N, or choose another model."),
    ],
)
def test_an_error_is_one_line_and_leaves_nothing(jaxcnn, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = jaxcnn(*arguments)
    assert list(tmp_path.iterdir()) == []
    assert (code, out) == (2, "")
    assert err.startswith("error: ") and message in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "--epochs", "few"), "few"),
        (("train", "--optimizer", "sdg"), "invalid choice"),
        (("train", "--optimiser", "sgd"), "--optimizer"),
        ((), "train"),
    ],
)
def test_a_misspelt_command_is_explained(jaxcnn, arguments, message):
    code, out, err = jaxcnn(*arguments)
    assert code == 2 and message in out + err


def test_an_existing_run_is_refused(jaxcnn, trained):
    code, _, err = jaxcnn("train", "--out", trained.run.path)
    assert code == 2
    assert "exists already; choose another with --out, replace it with --overwrite, or go on" in err


def test_a_diverging_run_exits_with_1(jaxcnn, tmp_path):
    arguments = config(tmp_path / "run", optimizer="sgd", learning_rate=1e30).command().split()[1:]
    code, _, err = jaxcnn(*arguments)
    assert code == 1
    assert re.fullmatch(
        r"error: the loss or its gradient is no longer finite at step \d+: .*lower --learning-rate.*\n", err
    )


def test_help_reads_well_and_imports_nothing_heavy():
    program = (
        "import sys\n"
        "from jaxcnn.cli.main import main\n"
        "try: main(['train', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = ['matplotlib', 'sklearn', 'orbax', 'optax', 'tensorflow_datasets', 'PIL']\n"
        "print('imported:', [name for name in heavy if name in sys.modules])\n"
    )
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "imported: []" in process.stdout, process.stderr
    text = " ".join(process.stdout.replace("│", "").split())  # the lines of the box joined
    for words in ("--batch-size INT|{full}", "(default: 0.005 for adam and adamw, 0.0005 lion", "--overwrite"):
        assert words in text
    assert "--no-overwrite" not in process.stdout


def test_python_m_jaxcnn_is_the_command():
    process = subprocess.run([sys.executable, "-m", "jaxcnn", "--help"], capture_output=True, text=True)
    assert process.returncode == 0
    assert [name in process.stdout for name in ("train", "eval", "summary", "check")] == [True] * 4
