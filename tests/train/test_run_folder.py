"""Which folders a run may use, what it writes there, and what it leaves alone."""

import dataclasses
import json

import pytest

from jaxcnn.train.model_folder import load_model
from jaxcnn.train.run_folder import DatasetFacts, check_out, discard, open_run, start
from tests.train.tiny import config

MEASURED = (
    *("train_loss", "train_accuracy", "eval_loss", "eval_accuracy"),
    *("eval_top5", "eval_balanced_accuracy", "eval_calibration_error"),
    *("gradient_norm", "learning_rate", "seconds", "images_per_second", "waiting"),
)
FACTS = DatasetFacts("digits", ("0", "1"), (8, 8, 1), (0.3,), (0.1234567890123,))


def test_config_json_gives_the_run_back(tmp_path):
    made = start(config(tmp_path / "a" / "run", overwrite=True, data_dir=tmp_path, batch_size="full"), FACTS)
    found = open_run(tmp_path / "a" / "run")
    assert found.facts == FACTS
    assert found.config == dataclasses.replace(made.config, overwrite=False)


def epoch(number):
    return {"epoch": number, "step": 5 * number, "part": "test"} | dict.fromkeys(MEASURED, 0.5)


def run_of(path, *numbers):
    """A run with the metrics of these epochs."""
    run = start(config(path), FACTS)
    for number in numbers:
        run.append_metrics(epoch(number))
    return run


def epochs(run):
    return [record["epoch"] for record in run.metrics()]


def test_metrics_are_json_lines_and_can_be_cut(tmp_path):
    run = run_of(tmp_path / "run")
    assert run.metrics() == [] and run.keep_metrics(0, 0) == []
    run = run_of(tmp_path / "other", 1, 2, 3)
    assert [json.loads(line)["epoch"] for line in (run.path / "metrics.jsonl").read_text().splitlines()] == [1, 2, 3]
    assert run.keep_metrics(2, 10) == []
    assert run.metrics() == [epoch(1), epoch(2)]


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_an_unfinished_last_line_is_no_epoch(tmp_path, cut):
    run = run_of(tmp_path, 1, 2, 3)
    file = tmp_path / "metrics.jsonl"
    file.write_bytes(file.read_bytes()[:-cut] + b"\xff\0" * (cut == 20))  # what a crash leaves at times
    finished = [1, 2, 3] if cut == 1 else [1, 2]  # only the end of the line is missing
    assert epochs(run) == finished
    assert run.keep_metrics(3, 15) == [3][: cut != 1]
    run.append_metrics(epoch(4))
    assert epochs(run) == [*finished, 4]


NO_EPOCHS = [
    '{"epoch": 2, "st',
    "[]",
    "7",
    "null",
    '"step"',
    "",
    "\0\0",
    "[" * 100_000,
    json.dumps({"epoch": 2, "step": 10}),
]
DEEP = [pytest.param("[" * 100_000, id="deep"), pytest.param('{"a": ' * 50_000, id="deep objects")]
WRONG = [None, "2", [], True, float("nan"), float("inf"), 2.5]


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize(
    "line",
    [
        *NO_EPOCHS,
        *DEEP,
        *[json.dumps(epoch(2) | {key: value}) for key in ("epoch", "step") for value in WRONG],
        *[json.dumps(epoch(2) | {"part": "test", "eval_loss": value}) for value in WRONG[:-1]],
        json.dumps({key.replace("accuracy", "accurac\x7f"): value for key, value in epoch(2).items()}),
    ],
)
def test_a_line_that_is_no_epoch_is_left_out_and_known_to_be_lost(tmp_path, line, place):
    run = run_of(tmp_path, 1, 3)
    file = tmp_path / "metrics.jsonl"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines[:place], line, *lines[place:]]) + "\n")
    assert epochs(run) == [1, 3]
    assert run.keep_metrics(3, 15) == [2]
    assert file.read_text().splitlines() == lines


def test_epochs_come_in_order_and_once_the_last_that_was_written(tmp_path):
    run = run_of(tmp_path, 2, 1, 3, 2)
    run.append_metrics(epoch(1) | {"part": "test", "eval_loss": 0.25})
    assert run.metrics() == [epoch(1) | {"part": "test", "eval_loss": 0.25}, epoch(2), epoch(3)]
    assert run.keep_metrics(5, 25) == [4, 5]


def steps(step, **changes):
    measured = dict.fromkeys(("learning_rate", "images_per_second", "waiting"), 0.5)
    return {"step": step, "loss": 0.5, "accuracy": None} | measured | changes


def told(run):
    """What metrics.jsonl tells, in its order: the steps, an epoch's in parentheses."""
    lines = map(json.loads, (run.path / "metrics.jsonl").read_text().splitlines())
    return [(line["step"],) if line["kind"] == "epoch" else line["step"] for line in lines]


def test_lines_of_steps_are_apart_from_those_of_epochs_and_are_cut_where_the_run_goes_on(tmp_path):
    run = run_of(tmp_path)
    for step in range(2, 14, 2):
        run.append_steps(steps(step, learning_rate=step / 100))
        if step % 5 == 0:
            run.append_metrics(epoch(step // 5))
    assert told(run) == [2, 4, 6, 8, 10, (10,), 12]
    assert run.steps()[1] == steps(4, learning_rate=0.04) and epochs(run) == [2]
    assert run.keep_metrics(2, 11) == [1] and told(run) == [2, 4, 6, 8, 10, (10,)]
    assert run.keep_metrics(1, 9) == [1] and told(run) == [2, 4, 6, 8]
    run.append_steps(steps(8, loss=0.25))
    (tmp_path / "metrics.jsonl").open("a").write('{"kind": "steps", "step": 10, "loss": NaN}\n{"kind": "other"}\n')
    assert [line["loss"] for line in run.steps()] == [0.5, 0.5, 0.5, 0.25]
    assert run.keep_metrics(0, 8) == [] and told(run) == [2, 4, 6, 8]


def test_an_earlier_version_measured_less(tmp_path):
    run = run_of(tmp_path, 2)
    lacking = (
        "eval_top5",
        "eval_balanced_accuracy",
        "eval_calibration_error",
        "gradient_norm",
        "images_per_second",
        "waiting",
    )
    earlier = {name: value for name, value in epoch(1).items() if name not in lacking}
    (tmp_path / "metrics.jsonl").open("a").write(json.dumps(earlier) + "\n")
    assert run.metrics() == [earlier, epoch(2)]
    assert run.keep_metrics(2, 10) == [] and run.metrics() == [earlier, epoch(2)]


def test_metrics_that_cant_be_read_are_named(tmp_path):
    run = run_of(tmp_path)
    (tmp_path / "metrics.jsonl").mkdir()
    with pytest.raises(OSError, match=r"metrics\.jsonl can't be read \(Is a directory\)\. Remove it and go on"):
        run.metrics()


def test_an_existing_run_is_refused_without_a_word(tmp_path):
    start(config(tmp_path / "run"), FACTS)
    with pytest.raises(FileExistsError, match="exists already; choose another with --out, replace it with --overwrite"):
        check_out(config(tmp_path / "run"))


def test_an_empty_folder_is_free_and_a_check_makes_none(tmp_path):
    check_out(config(tmp_path))
    check_out(config(tmp_path / "a" / "run"))
    assert tmp_path.is_dir() and list(tmp_path.iterdir()) == []


def test_overwrite_removes_what_a_run_wrote_and_nothing_else(tmp_path):
    run = start(config(tmp_path), FACTS)
    run.append_metrics(epoch(1))
    run.checkpoint("last").mkdir(parents=True)
    (tmp_path / "notes.txt").write_text("mine")
    start(config(tmp_path, overwrite=True, seed=1), FACTS)
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "notes.txt"}
    assert open_run(tmp_path).config.seed == 1


@pytest.mark.parametrize("content", [None, "{}", '{"config": {"hidden_size": 768}, "dataset": {}}', "not json"])
def test_overwrite_refuses_a_folder_that_is_no_run(tmp_path, content):
    (tmp_path / "thesis.tex").write_text("years of work")
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(ValueError, match="which is not a run folder"):
        start(config(tmp_path, overwrite=True), FACTS)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_a_discarded_run_leaves_what_is_not_its_own(tmp_path):
    empty, used = (start(config(tmp_path / name), FACTS) for name in ("empty", "used"))
    (used.path / "notes.txt").write_text("mine")
    discard(empty)
    discard(used)
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == ["used", "used/notes.txt"]


def test_a_moved_run_knows_its_folder(tmp_path):
    start(config(tmp_path / "run"), FACTS)
    (tmp_path / "run").rename(tmp_path / "moved")
    assert open_run(tmp_path / "moved").config == config(tmp_path / "moved")


def test_an_unwritable_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"run folder .*/file/run cannot be written \(Not a directory\); choose another"):
        check_out(config(tmp_path / "file" / "run"))


def test_resume_names_the_options_that_differ_and_the_command_that_goes_on(tmp_path):
    start(config(tmp_path), FACTS)
    with pytest.raises(ValueError, match="with other options: model was 'tiny' and is now 'lenet5'; seed was 0") as e:
        check_out(config(tmp_path, resume=True, seed=1, model="lenet5"))
    assert f"Go on with: {config(tmp_path).command()} --resume" in str(e.value)


def test_resume_may_tell_more_and_elsewhere(tmp_path, recwarn):
    start(config(tmp_path), FACTS)
    more = {"log_every": 1, "progress_every": "1h", "tensorboard": True, "wandb": "mine"}
    start(config(tmp_path, resume=True, **more), FACTS)
    assert open_run(tmp_path).config == config(tmp_path, **more) and list(recwarn) == []


def test_resume_may_raise_epochs_and_move_the_data(tmp_path):
    start(config(tmp_path, epochs=2), FACTS)
    with pytest.warns(UserWarning, match="the onecycle schedule now stretches over 3 epochs, not 2: the learning rate"):
        start(config(tmp_path, epochs=3, data_dir=tmp_path, resume=True), FACTS)
    assert open_run(tmp_path).config.epochs == 3
    with pytest.raises(ValueError, match=r"epochs was 3 and is now 2 \(it may only grow\)"):
        check_out(config(tmp_path, epochs=2, resume=True))


@pytest.mark.parametrize(("schedule", "epochs"), [("constant", 3), ("cosine", 2)])
def test_resume_is_silent_where_the_rate_goes_on(tmp_path, recwarn, schedule, epochs):
    start(config(tmp_path, epochs=2, schedule=schedule), FACTS)
    start(config(tmp_path, epochs=epochs, schedule=schedule, resume=True), FACTS)
    assert list(recwarn) == []


def test_resume_refuses_a_dataset_that_has_changed(tmp_path):
    start(config(tmp_path), FACTS)
    with pytest.raises(ValueError, match="its dataset has changed"):
        start(config(tmp_path, resume=True), dataclasses.replace(FACTS, mean=(0.31,)))


def test_resume_without_a_run(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"is not a run folder: it holds no config\.json"):
        check_out(config(tmp_path / "none", resume=True))
    assert not (tmp_path / "none").exists()


def written(path):
    return json.loads((path / "config.json").read_text())


def changed(part, key, value=None):
    """A change of config.json: another value, or the field removed."""

    def change(parts):
        parts = parts | {part: dict(parts[part])}
        if value is None:
            del parts[part][key]
        else:
            parts[part][key] = value
        return parts

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        *[(changed("config", key), f"'{key}' is missing") for key in ("model", "seed", "augment", "data_dir")],
        *[(changed("dataset", key), f"'{key}' is missing") for key in ("mean", "classes")],
        (lambda parts: {"config": parts["config"]}, "'dataset' is missing"),
        (changed("config", "modem", "lenet5"), "'modem' is no field that is known"),
        (changed("config", "epochs", 2.5), r"'epochs' holds 2\.5, expected int"),
        (changed("config", "epochs", "2"), "'epochs' holds '2', expected int"),
        (changed("config", "epochs", 0), "epochs is 0; expected 1 or more"),
        (changed("config", "batch_size", True), "'batch_size' holds True, expected "),
        (changed("config", "image_size", "16"), r"'image_size' holds '16', expected int \| None"),
        (changed("config", "skip_bad", 1), "'skip_bad' holds 1, expected bool"),
        (changed("config", "loss", []), r"'loss' holds \[\], expected Literal"),
        (changed("config", "data_dir", 7), "'data_dir' holds 7, expected "),
        (changed("config", "learning_rate", 10**400), "'learning_rate' holds 1000.*expected finite float"),
        (changed("dataset", "mean", [float("nan")]), "'mean' holds nan, expected finite float"),
        (changed("dataset", "mean", "a"), "'mean' holds 'a', expected "),
        (changed("dataset", "mean", [0.3, 0.3]), r"mean is \(0\.3, 0\.3\).* expected one for each channel \(1\)"),
        (changed("dataset", "std", [0.0]), r"mean is .* and std \(0\.0,\); .* std above 0"),
        (changed("dataset", "std", [True]), "'std' holds True, expected finite float"),
        (changed("dataset", "classes", [0, 1]), "'classes' holds 0, expected str"),
        (changed("dataset", "image_shape", []), r"image_shape is \(\); expected height, width and channels"),
        (lambda parts: [1, 2], r"\[1, 2\] is no JSON object"),
        (lambda parts: None, "None is no JSON object"),
    ],
)
def test_a_config_json_is_read_strictly(tmp_path, change, message):
    start(config(tmp_path), FACTS)
    parts = written(tmp_path)
    del parts["sha256"]
    (tmp_path / "config.json").write_text(json.dumps(change(parts)))
    with pytest.raises(ValueError, match=rf"config\.json is .* damaged: {message}.*Put back a copy") as caught:
        open_run(tmp_path)
    assert ".. Put" not in str(caught.value)


@pytest.mark.parametrize("content", ["", '{"config": ', "\0" * 50, "\xe9", *DEEP])
def test_a_damaged_config_json_is_named(tmp_path, content):
    (tmp_path / "config.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(ValueError, match=r"config\.json is not the config\.json of a run, or is damaged.*Put back a"):
        open_run(tmp_path)


def test_another_value_in_config_json_is_found_by_its_hash(tmp_path):
    """Every other digit, in turn: those that the types let pass."""
    start(config(tmp_path), FACTS)
    file, found = tmp_path / "config.json", open_run(tmp_path)
    good = file.read_text()
    for at in (i for i, character in enumerate(good) if character.isdigit()):
        file.write_text(good[:at] + str((int(good[at]) + 1) % 10) + good[at + 1 :])
        with pytest.raises(ValueError, match=r"config\.json is not the config\.json of a run, or is damaged: "):
            open_run(tmp_path)
    file.write_text(good.replace("0.1234567890123", "0.1234567890124"))
    with pytest.raises(ValueError, match=r"not as it was written, by its sha256 \(remove that line if you changed it"):
        open_run(tmp_path)
    (line,) = (line for line in good.splitlines(keepends=True) if "sha256" in line)
    file.write_text(good.replace(line, ""))  # as of an earlier version, or on purpose
    assert open_run(tmp_path) == found
    earlier = json.loads(good)
    del earlier["sha256"], earlier["source"]
    added = ("max_steps", "warmup_steps", "remat", "best_by", "log_every", "progress_every", "tensorboard", "wandb")
    for name in added:
        del earlier["config"][name]
    file.write_text(json.dumps(earlier))
    assert open_run(tmp_path) == found
    file.write_text(json.dumps(json.loads(good), indent=7, sort_keys=True))
    assert open_run(tmp_path) == found


def test_a_lost_config_json_can_be_made_again(tmp_path):
    start(config(tmp_path / "run"), FACTS).checkpoint("last").mkdir(parents=True)
    (tmp_path / "run/config.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"run is not a run folder: it holds no config\.json\. Put back a copy"):
        open_run(tmp_path / "run")
    start(config(tmp_path / "other"), FACTS)
    (tmp_path / "other/config.json").rename(tmp_path / "run/config.json")
    assert open_run(tmp_path / "run").config == config(tmp_path / "run")


def test_of_the_folder_of_a_sweep_a_run_is_named(tmp_path):
    for out in ("lr=0.1/seed0", "lr=0.1/seed1"):
        start(config(tmp_path / out), FACTS)
    one = rf"It holds 2 runs of a sweep, such as {tmp_path}/lr=0\.1/seed0; take one of them\."
    with pytest.raises(FileNotFoundError, match=f"is not a run folder: it holds no config.json. {one}"):
        open_run(tmp_path)
    with pytest.raises(FileNotFoundError, match=f"is not a run folder: it holds no model. {one}"):
        load_model(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"it holds no model\. Make one with jaxcnn train"):
        load_model(tmp_path / "none")
