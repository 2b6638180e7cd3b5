"""`jaxcnn report`: the files that it writes, and what it refuses."""

import json
import shutil

import pytest

from jaxcnn.train.loop import train
from tests.report.pages import Page
from tests.train.tiny import config


@pytest.fixture
def run_folder(trained, tmp_path):
    return shutil.copytree(trained.run.path, tmp_path / "run")


def test_a_page_in_the_run_folder_and_again_over_it(jaxcnn, run_folder):
    for _ in range(2):
        assert jaxcnn("report", run_folder) == (0, f"page {run_folder / 'report.html'}\n", "")
    assert "tiny on digits" in Page((run_folder / "report.html").read_text(encoding="utf-8")).text


def test_train_leaves_the_page_and_says_where(jaxcnn, tmp_path):
    code, out, err = jaxcnn(*config(tmp_path / "run", epochs=1).command().split()[1:])
    page = tmp_path / "run" / "report.html"
    assert (code, err) == (0, "") and out.splitlines()[-1] == f"page {page}"
    accuracy = next(line.split()[-1] for line in out.splitlines() if line.startswith("test accuracy"))
    assert f"{100 * float(accuracy):.2f} %" in Page(page.read_text(encoding="utf-8")).text


def test_a_page_that_cant_be_made_is_a_warning(jaxcnn, tmp_path, monkeypatch):
    monkeypatch.setattr("jaxcnn.report.page.page", lambda *_: 1 / 0)
    code, out, err = jaxcnn(*config(tmp_path / "run", epochs=1).command().split()[1:])
    assert code == 0 and not out.splitlines()[-1].startswith("page")
    assert err.startswith(f"warning: {tmp_path / 'run'}/report.html could not be drawn (ZeroDivisionError")


def test_a_folder_of_runs_stands_for_them_and_each_counts_once(jaxcnn, run_folder, tmp_path, monkeypatch):
    sweep = tmp_path / "sweep"
    for seed in (0, 1):
        shutil.copytree(run_folder, sweep / f"seed{seed}")
    monkeypatch.chdir(tmp_path)
    code, out, _ = jaxcnn("report", "sweep", sweep / "seed0", "--out", "both.html")
    assert (code, out) == (0, "page both.html\n")
    assert "2 runs: tiny on digits" in Page((tmp_path / "both.html").read_text(encoding="utf-8")).text
    assert jaxcnn("report", sweep / "seed0", sweep / "seed1")[1] == "page report.html\n"


def test_a_run_without_epochs_is_left_out_of_several_and_refused_alone(jaxcnn, run_folder, tmp_path):
    empty = shutil.copytree(run_folder, tmp_path / "empty")
    (empty / "metrics.jsonl").write_text("{\x00 no JSON\n")
    other = shutil.copytree(run_folder, tmp_path / "other")
    code, _, err = jaxcnn("report", run_folder, empty, other, "--out", tmp_path / "page.html")
    assert (code, err) == (0, f"warning: {empty} has no whole epoch yet, and is left out.\n")
    code, _, err = jaxcnn("report", empty)
    assert code == 2 and err.startswith(f"error: {empty} has no epoch to report") and err.count("\n") == 1


def test_lines_that_are_damaged_are_missing_from_the_page_alone(jaxcnn, run_folder):
    file = run_folder / "metrics.jsonl"
    file.write_text(file.read_text() + '{"kind": "epoch", "epoch": 3, "st')
    assert jaxcnn("report", run_folder)[0] == 0


def test_without_its_data_the_page_says_why_parts_are_missing(jaxcnn, run_folder):
    file = run_folder / "config.json"
    written = json.loads(file.read_text())
    del written["sha256"]
    written["config"]["data"] = "nowhere/pictures"
    file.write_text(json.dumps(written))
    code, out, _ = jaxcnn("report", run_folder)
    said = " ".join(Page((run_folder / "report.html").read_text(encoding="utf-8")).text)
    assert code == 0 and out.startswith("page ")
    assert "Parts of this page are missing" in said and "nowhere/pictures" in said


def test_what_it_refuses(jaxcnn, run_folder, tmp_path):
    notes = tmp_path / "notes.html"
    notes.write_text("<p>my notes</p>")
    refused = {
        (): "error: ",
        (tmp_path / "nowhere",): f"error: {tmp_path / 'nowhere'} is not a run folder: it holds no config.json.",
        (run_folder / "model" / "last",): f"error: {run_folder / 'model' / 'last'} is a model without its run",
        (run_folder, "--out", notes): f"error: {notes} is there already, and is no page of jaxcnn report",
        (
            run_folder,
            "--out",
            tmp_path / "no" / "page.html",
        ): f"error: --out is {tmp_path / 'no' / 'page.html'}, but its",
    }
    for words, message in refused.items():
        code, out, err = jaxcnn("report", *words)
        assert code == 2 and not out and err.startswith(message) and (not words or err.count("\n") == 1), (words, err)
    assert notes.read_text() == "<p>my notes</p>"


def test_overwrite_removes_the_page_of_the_earlier_run(run_folder):
    (run_folder / "report.html").write_text("of the earlier run")
    train(config(run_folder, epochs=1, overwrite=True))
    assert not (run_folder / "report.html").exists()
