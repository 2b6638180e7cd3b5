"""The page of several runs: groups by recipe, what differs, means and deviations."""

import json
import shutil
from dataclasses import replace
from statistics import mean, stdev

import pytest

from jaxcnn.report.page import comparison
from jaxcnn.report.page.compare import by_recipe, by_run, differences, grouped
from jaxcnn.train import records
from jaxcnn.train.run_folder import open_run
from tests.report.pages import Page

ACCURACIES = {(0.1, 0): 0.7, (0.1, 1): 0.9, (0.1, 2): 0.8, (0.3, 0): 0.6}


@pytest.fixture
def runs(trained, tmp_path):
    """Three seeds of a rate, and one of another, of which metrics.jsonl tells made-up accuracies."""
    made = []
    for (rate, seed), accuracy in ACCURACIES.items():
        path = shutil.copytree(trained.run.path, tmp_path / f"rate={rate}" / f"seed{seed}")
        written = json.loads((path / "config.json").read_text())
        del written["sha256"]
        written["config"] |= {"learning_rate": rate, "seed": seed}
        (path / "config.json").write_text(records.sealed(written))
        lines = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
        epochs = [line | {"eval_accuracy": accuracy * line["epoch"] / 2} for line in lines if line["kind"] == "epoch"]
        (path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in epochs))
        made.append(open_run(path))
    return made


def test_runs_of_a_recipe_are_one_group_whatever_their_seeds(runs):
    groups = grouped(runs)
    assert [(group.name, [run.name for run in group.runs]) for group in groups] == [
        ("rate=0.1", ["rate=0.1/seed0", "rate=0.1/seed1", "rate=0.1/seed2"]),
        ("rate=0.3/seed0", ["rate=0.3/seed0"]),
    ]
    assert differences(runs) == ["learning_rate"] and differences(runs[:3]) == []


def test_tables_tell_each_run_and_the_means_with_their_deviations(runs):
    groups = grouped(runs)
    each, recipe = by_run(groups, ["learning_rate"], "test"), by_recipe(groups, ["learning_rate"], "test")
    column = each.headings.index("test accuracy")
    assert [cells[column].key for _, _, cells in each.rows] == list(ACCURACIES.values())
    assert [[cell.text for cell in cells[:2]] for _, _, cells in each.rows] == [
        [str(rate), str(seed)] for rate, seed in ACCURACIES
    ]
    three = [0.7, 0.9, 0.8]
    (_, _, of_three), (_, _, of_one) = recipe.rows
    column = recipe.headings.index("test accuracy")
    assert of_three[column].key == pytest.approx(mean(three))
    assert of_three[column].text == f"80.00 % ± {100 * stdev(three):.2f} %" and of_one[column].text == "60.00 %"
    assert [cells[1].text for _, _, cells in recipe.rows] == ["3", "1"]


def test_a_number_that_was_not_given_is_sorted_before_all_others(runs):
    limits = [0.1, None, 1e-5, None]
    limited = [replace(run, config=replace(run.config, clip_norm=n)) for run, n in zip(runs, limits, strict=True)]
    keys = {cells[0].text: cells[0].key for _, _, cells in by_run(grouped(limited), ["clip_norm"], "test").rows}
    assert sorted(keys, key=keys.__getitem__) == ["–", "1e-05", "0.1"]


def test_curves_are_means_with_bands_of_the_sample_deviation(runs):
    shown = Page(comparison(runs))
    accuracy = shown.data[0]["lines"]
    assert [line["name"] for line in accuracy] == ["rate=0.1", "rate=0.3/seed0"]
    assert accuracy[0]["y"] == pytest.approx([0.4, 0.8]) and accuracy[1]["y"] == pytest.approx([0.3, 0.6])
    assert accuracy[0]["deviation"] == pytest.approx([0.05, 0.1]) and accuracy[1]["deviation"] is None


def test_a_curve_ends_where_the_shortest_run_of_its_seeds_does(runs):
    file = runs[1].path / "metrics.jsonl"
    file.write_text(file.read_text().splitlines()[0] + "\n")
    assert Page(comparison(runs)).data[0]["lines"][0]["x"] == [1]


def test_the_page_is_well_made_and_says_what_differs(runs):
    shown = Page(comparison(runs))
    assert len(shown.ids) == len(set(shown.ids)) and not shown.loads
    assert {href[1:] for href in shown.hrefs} <= set(shown.ids)
    said = " ".join(" ".join(shown.text).split())
    assert "The runs differ in learning_rate and their seeds; all else is alike." in said


def test_runs_of_different_datasets_are_not_compared_in_silence(runs):
    file = runs[3].path / "config.json"
    written = json.loads(file.read_text())
    del written["sha256"]
    written["dataset"]["name"] = "other"
    file.write_text(records.sealed(written))
    said = " ".join(Page(comparison([*runs[:3], open_run(runs[3].path)])).text)
    assert "of different datasets (digits, other)" in said
