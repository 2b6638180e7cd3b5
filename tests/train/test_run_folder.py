"""Which folders a run may use, what it writes there, and what it leaves alone."""

import dataclasses
import json

import pytest

from jaxcnn.train.run_folder import DatasetFacts, check_out, discard, open_run, start
from tests.train.tiny import config

FACTS = DatasetFacts("digits", ("0", "1"), (8, 8, 1), (0.3,), (0.1234567890123,))


def test_config_json_gives_the_run_back(tmp_path):
    made = start(config(tmp_path / "a" / "run", overwrite=True, data_dir=tmp_path, batch_size="full"), FACTS)
    found = open_run(tmp_path / "a" / "run")
    assert found.facts == FACTS
    assert found.config == dataclasses.replace(made.config, overwrite=False)


def test_metrics_are_json_lines_and_can_be_cut(tmp_path):
    run = start(config(tmp_path / "run"), FACTS)
    assert run.metrics() == []
    for epoch in (1, 2, 3):
        run.append_metrics({"epoch": epoch, "step": 5 * epoch})
    assert [json.loads(line)["epoch"] for line in (run.path / "metrics.jsonl").read_text().splitlines()] == [1, 2, 3]
    run.forget_metrics_after(12)
    assert [record["epoch"] for record in run.metrics()] == [1, 2]


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_an_unfinished_last_line_is_no_epoch(tmp_path, cut):
    run = start(config(tmp_path), FACTS)
    for epoch in (1, 2, 3):
        run.append_metrics({"epoch": epoch, "step": 5 * epoch})
    file = tmp_path / "metrics.jsonl"
    file.write_bytes(file.read_bytes()[:-cut] + b"\xff\0" * (cut == 20))  # what a crash leaves at times
    finished = [1, 2, 3] if cut == 1 else [1, 2]  # only the end of the line is missing
    assert [record["epoch"] for record in run.metrics()] == finished
    run.forget_metrics_after(100)
    run.append_metrics({"epoch": 4, "step": 20})
    assert [record["epoch"] for record in run.metrics()] == [*finished, 4]


@pytest.mark.parametrize("damaged", ['{"epoch": 1, "st', "[]", "7", "null", '{"epoch": 1}', ""])
def test_a_damaged_line_of_the_metrics_is_named(tmp_path, damaged):
    run = start(config(tmp_path), FACTS)
    (tmp_path / "metrics.jsonl").write_text(f'{{"epoch": 1, "step": 5}}\n{damaged}\n{{"epoch": 3, "step": 15}}\n')
    with pytest.raises(ValueError, match=r"line 2 of .*/metrics\.jsonl is damaged: .* Remove it and go on"):
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
    run.append_metrics({"epoch": 1, "step": 5})
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


def test_a_damaged_config_json_is_named(tmp_path):
    (tmp_path / "config.json").write_text('{"config": ')
    with pytest.raises(
        ValueError, match=r"config\.json is not the config\.json of a run, or is damaged.*Put back a copy"
    ):
        open_run(tmp_path)


def test_a_lost_config_json_can_be_made_again(tmp_path):
    start(config(tmp_path / "run"), FACTS).checkpoint("last").mkdir(parents=True)
    (tmp_path / "run/config.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"run is not a run folder: it holds no config\.json\. Put back a copy"):
        open_run(tmp_path / "run")
    start(config(tmp_path / "other"), FACTS)
    (tmp_path / "other/config.json").rename(tmp_path / "run/config.json")
    assert open_run(tmp_path / "run").config == config(tmp_path / "run")
