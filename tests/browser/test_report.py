"""The pages of `jaxcnn report`, as people look at them."""

import json
import shutil

import pytest

from jaxcnn.report.page import comparison, of_result
from jaxcnn.report.page import page as written
from jaxcnn.train.run_folder import open_run
from tests.browser.checks import invalid_html, not_reached_by_tab, once, overflow, violations

LAYERS = [
    {"step": step, "images": 8, "delta": {"conv": 1e-4 / (step + 1), "relu": 0.02, "head": 0.5}}
    | {"gradient": {"conv": 0.003, "head": 2.0 + step}}
    for step in (0, 11, 22)
]


@pytest.fixture(scope="session")
def alone(trained, tmp_path_factory):
    """The page of one run, whose layers have made-up norms."""
    folder = tmp_path_factory.mktemp("report")
    run = open_run(shutil.copytree(trained.run.path, folder / "run"))
    for line in LAYERS:
        run.append_layers(line)
    file = folder / "alone.html"
    file.write_text(written(run, of_result(trained)), encoding="utf-8")
    return file


@pytest.fixture(scope="session")
def several(trained, tmp_path_factory):
    """The page of three runs: two seeds, and one of another rate; their accuracies are made up."""
    folder = tmp_path_factory.mktemp("several")
    runs = []
    for name, accuracy, changes in (("a", 0.5, {}), ("b", 0.7, {"seed": 1}), ("c", 0.6, {"learning_rate": 0.3})):
        path = shutil.copytree(trained.run.path, folder / name)
        config = json.loads((path / "config.json").read_text())
        del config["sha256"]
        config["config"] |= changes
        (path / "config.json").write_text(json.dumps(config))
        lines = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
        changed = [line | {"eval_accuracy": accuracy} if line["kind"] == "epoch" else line for line in lines]
        (path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in changed))
        runs.append(open_run(path))
    file = folder / "several.html"
    file.write_text(comparison(runs), encoding="utf-8")
    return file


@pytest.mark.parametrize("which", ["alone", "several"])
def test_it_fits_and_is_for_everyone(request, page, which):
    page.goto(request.getfixturevalue(which).as_uri())
    assert overflow(page) == 0
    assert violations(page) == []
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert overflow(page) == 0
    assert violations(page) == []


def test_pages_are_valid(alone, several):
    assert invalid_html(alone.read_text(encoding="utf-8")) == invalid_html(several.read_text(encoding="utf-8")) == []


@once
@pytest.mark.parametrize("which", ["alone", "several"])
def test_the_keyboard_reaches_everything(request, page, which):
    page.goto(request.getfixturevalue(which).as_uri())
    assert not_reached_by_tab(page) == []


def said(page, chart):
    """What the legend of a chart tells, by line."""
    told = [(item.inner_text(), item.locator("b").inner_text()) for item in page.locator(f"#chart-{chart} li").all()]
    return {text.removesuffix(value).strip(): float(value.split()[0]) for text, value in told}


def test_hovering_a_curve_shows_its_values_on_all_charts(alone, trained, page):
    page.goto(alone.as_uri())
    first, last = trained.run.metrics()
    plot = page.locator("#chart-loss .plot")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    for x, record in ((3, first), (box["width"] - 3, last)):
        page.mouse.move(box["x"] + x, box["y"] + 40)
        expected = {"training": record["train_loss"], "test": record["eval_loss"]}
        assert said(page, "loss") == pytest.approx(expected, rel=1e-3)
        where = page.locator("#chart-accuracy .where").inner_text()
        assert where == f"epoch {record['epoch']}, step {record['step']}"
        assert page.locator("#chart-rate .cursor").is_visible()
    page.mouse.move(0, 0)
    assert page.locator("#chart-accuracy .where").inner_text() == ""


def test_a_finger_shows_the_values_where_it_was(alone, trained, chromium):
    phone = chromium.new_page(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    phone.goto(alone.as_uri())
    plot = phone.locator("#chart-loss .plot")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    phone.touchscreen.tap(box["x"] + 3, box["y"] + 40)
    assert phone.locator("#chart-accuracy .where").inner_text().startswith("epoch 1, step")
    assert said(phone, "loss")["training"] == pytest.approx(trained.run.metrics()[0]["train_loss"], rel=1e-3)
    phone.close()


@once
def test_arrow_keys_look_along_a_curve_and_say_so(alone, trained, page):
    page.goto(alone.as_uri())
    plot = page.locator("#chart-loss .plot")
    first, last = trained.run.metrics()
    plot.focus()
    for key, record in (("Home", first), ("ArrowRight", last), ("ArrowLeft", first), ("End", last)):
        page.keyboard.press(key)
        place, losses = plot.get_attribute("aria-valuetext").split(": ")
        assert place == f"epoch {record['epoch']}, step {record['step']}"
        told = [line.split() for line in losses.split(", ")]
        assert [name for name, _ in told] == ["training", "test"]
        expected = [record["train_loss"], record["eval_loss"]]
        assert [float(loss) for _, loss in told] == pytest.approx(expected, rel=1e-3)


def ticks(page, chart):
    return [float(text.replace(",", "")) for text in page.locator(f"#chart-{chart} .x span").all_inner_texts()]


@once
def test_dragging_and_keys_zoom_all_charts(alone, page):
    page.goto(alone.as_uri())
    whole = ticks(page, "rate")
    plot = page.locator("#chart-loss .plot")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 50)
    page.mouse.up()
    assert (
        ticks(page, "rate") == ticks(page, "loss")
        and 1.5 <= min(ticks(page, "rate")) < max(ticks(page, "rate")) <= 1.75
    )
    plot.focus()
    page.keyboard.press("0")
    assert ticks(page, "rate") == whole
    page.keyboard.press("+")
    assert max(ticks(page, "rate")) - min(ticks(page, "rate")) < max(whole) - min(whole)
    page.get_by_role("button", name="All of training").click()
    assert ticks(page, "rate") == whole


@once
def test_a_log_scale_is_switched_on_and_off(alone, page):
    page.goto(alone.as_uri())
    button = page.locator("#chart-loss .log")
    shown = page.locator("#chart-loss g[data-scale]:not([display='none'])")
    before = button.get_attribute("aria-pressed")
    for _ in range(2):
        button.press("Enter")
        assert shown.get_attribute("data-scale") == (
            "log" if button.get_attribute("aria-pressed") == "true" else "linear"
        )
    assert button.get_attribute("aria-pressed") == before


@once
def test_a_layer_and_a_moment_are_chosen_by_keyboard_and_pointer(alone, page):
    page.goto(alone.as_uri())
    here = page.locator(".norms .here")

    def told():
        return " ".join(here.inner_text().split())

    page.get_by_role("slider", name="Layer").focus()
    assert told() == "conv, after step 22: ‖δ‖ 4.3e-6 ‖gradient‖ 0.003"
    page.keyboard.press("ArrowRight")
    assert told() == "relu, after step 22: ‖δ‖ 0.02 ‖gradient‖ –"
    page.keyboard.press("End")
    page.get_by_role("slider", name="Moment").press("ArrowLeft")
    assert told() == "head, after step 11: ‖δ‖ 0.5 ‖gradient‖ 13"
    picture = page.locator('[data-map="delta"] .picture')
    picture.scroll_into_view_if_needed()
    box = picture.bounding_box()
    page.mouse.move(box["x"] + 2, box["y"] + 2)
    assert told() == "conv, before the first step: ‖δ‖ 1e-4 ‖gradient‖ 0.003"


@once
def test_headings_sort_the_table_by_their_numbers(several, page):
    page.goto(several.as_uri())
    table = page.locator("table.sortable").last
    heading = table.get_by_role("columnheader", name="test accuracy")

    def names():
        return [text.strip() for text in table.locator("tbody th").all_inner_texts()]

    heading.get_by_role("button").press("Enter")
    assert names() == ["a", "c", "b"] and heading.get_attribute("aria-sort") == "ascending"
    heading.get_by_role("button").click()
    assert names() == ["b", "c", "a"] and heading.get_attribute("aria-sort") == "descending"
    table.get_by_role("columnheader", name="run").get_by_role("button").click()
    assert names() == ["a", "b", "c"] and heading.get_attribute("aria-sort") is None


@once
def test_a_run_is_taken_off_all_charts(several, page):
    page.goto(several.as_uri())
    button = page.locator("[data-toggle='1']")
    assert set(said(page, "eval_accuracy")) == {"a and 1 more", "c"}
    button.press("Enter")
    assert page.locator("[data-run='1']:visible").count() == 0 and page.locator("[data-run='0']:visible").count() > 0
    button.click()
    assert page.locator("#chart-eval_loss [data-run='1']:visible").count() > 0
