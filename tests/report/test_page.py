"""A run's page: its values are those of metrics.jsonl, it is well made, and needs nothing else."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from jaxcnn.report.page import Trained, of_result, of_run, page
from jaxcnn.report.page.configuration import recipes
from jaxcnn.train.recipe import TrainConfig
from jaxcnn.train.run_folder import open_run
from tests.report.pages import Page


@pytest.fixture(scope="module")
def shown(trained):
    return Page(page(trained.run, of_result(trained)))


def lines(run, kind):
    records = map(json.loads, (run.path / "metrics.jsonl").read_text().splitlines())
    return [record for record in records if record["kind"] == kind]


def charts(shown):
    return {line["name"]: line for data in shown.data if "lines" in data for line in data["lines"]}


def test_it_is_well_made_and_needs_nothing_else(shown):
    assert len(shown.ids) == len(set(shown.ids))
    assert {href[1:] for href in shown.hrefs} <= set(shown.ids)
    assert all(address.startswith("data:") for address in shown.loads)


def test_the_curves_are_metrics_jsonl(trained, shown):
    epochs = lines(trained.run, "epoch")
    per_epoch = epochs[0]["step"]
    data = {data["lines"][-1]["name"]: data for data in shown.data if "lines" in data}
    loss, accuracy = (data for data in shown.data if "lines" in data and data["lines"][-1]["name"] == "test")
    for chart, figure in ((loss, "loss"), (accuracy, "accuracy")):
        of = {line["name"]: line for line in chart["lines"]}
        for name, field in (("training", f"train_{figure}"), ("test", f"eval_{figure}")):
            np.testing.assert_allclose(of[name]["x"], [r["step"] / per_epoch for r in epochs], rtol=1e-6)
            np.testing.assert_allclose(of[name]["y"], [r[field] for r in epochs], rtol=1e-4)
    for name, field in (("rate", "learning_rate"), ("share of the time", "waiting")):
        np.testing.assert_allclose(data[name]["lines"][0]["y"], [r[field] for r in epochs], rtol=1e-4)


def test_lines_of_steps_are_shown_where_there_are_more_of_them(trained, tmp_path):
    run = open_run(shutil.copytree(trained.run.path, tmp_path / "run"))
    steps = [
        {"kind": "steps", "step": step, "loss": None if step == 3 else 1 / step, "accuracy": step / 100}
        | {"learning_rate": 0.1 * step, "images_per_second": 10.0 * step, "waiting": 0.0}
        for step in range(1, 20)
    ]
    file = run.path / "metrics.jsonl"
    file.write_text(file.read_text() + "".join(json.dumps(line) + "\n" for line in steps))
    of = charts(Page(page(run, Trained())))
    known = {
        round(x * lines(run, "epoch")[0]["step"]): y for x, y in zip(of["rate"]["x"], of["rate"]["y"], strict=True)
    }
    assert known[7] == pytest.approx(0.7)
    loss = next(d["lines"][0] for d in Page(page(run, Trained())).data if "lines" in d)
    assert loss["name"] == "training, by steps" and loss["y"][2] is None and loss["y"][4] == pytest.approx(0.2)


def test_the_verdict_names_the_accuracy_and_how_many_images(trained, shown):
    right = round(trained.evaluation.accuracy * 360)
    said = " ".join(" ".join(shown.text).split())
    assert f"{right / 3.6:.2f} % test accuracy, of 360 images" in said
    assert "Training came to its end, 2 epochs." in said and "Most often it takes" in said


def test_the_command_and_what_differs_from_the_defaults(trained, shown):
    said = "\n".join(shown.text)
    assert trained.run.config.command() in said
    for name, value in trained.run.config.given().items():
        assert name in shown.text and str(value) in said


def test_the_recipes_have_every_option_once():
    named = [field.name for kind in recipes() for field in dataclasses.fields(kind)]
    assert sorted(named) == sorted(field.name for field in dataclasses.fields(TrainConfig))


def test_what_users_named_is_text_and_no_markup(trained):
    facts = dataclasses.replace(trained.run.facts, name="<b>&", classes=("<i>", "</script>", *"23456789"))
    shown = Page(page(dataclasses.replace(trained.run, facts=facts), Trained()))
    assert "tiny on <b>&" in shown.text and "<i>, </script>, 2, 3, 4, 5, 6, 7, 8, 9" in shown.text


def test_of_a_run_on_disk_the_page_is_that_of_the_run_that_ended(trained):
    on_disk = of_run(trained.run)
    assert on_disk.missing == ()
    np.testing.assert_allclose(
        on_disk.tested.evaluation.probabilities, trained.evaluation.probabilities, rtol=1e-4, atol=1e-6
    )


def test_a_run_of_an_earlier_version_is_shown_without_what_it_did_not_measure(trained, tmp_path):
    run = open_run(shutil.copytree(trained.run.path, tmp_path / "run"))
    needed = ("epoch", "step", "part", "learning_rate", "seconds", *("train_loss", "train_accuracy"))
    old = [{name: line[name] for name in (*needed, "eval_loss", "eval_accuracy")} for line in lines(run, "epoch")]
    (run.path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in old))
    shown = Page(page(run, Trained()))
    named = {name.removeprefix("chart-") for name in shown.ids if name.startswith("chart-") and "title" not in name}
    assert named == {"loss", "accuracy", "rate"}
    assert "earlier versions did not measure them" in " ".join(shown.text)


def test_a_run_without_epochs_has_no_page(trained, tmp_path):
    run = open_run(shutil.copytree(trained.run.path, tmp_path / "run"))
    (run.path / "metrics.jsonl").unlink()
    with pytest.raises(ValueError, match=r"has no epoch to report: .*--resume"):
        page(run, Trained())
