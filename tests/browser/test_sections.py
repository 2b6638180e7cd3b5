"""The sections of a run's page about its network and images, as people use them."""

import base64
import dataclasses

import numpy as np
import pytest

from jaxcnn.layers import Activation, Conv, Dense, GlobalAvgPool, chain, residual
from jaxcnn.report.page.within import SECTIONS
from jaxcnn.train.gradients import GradientCheck, LayerGradient
from tests.browser.checks import invalid_html, not_reached_by_tab, once, overflow, violations
from tests.report.subjects import decoded, html, images, probabilities, trained

NETWORK = chain(
    conv=Conv(6, 3),
    relu=Activation("relu"),
    block=residual(chain(conv=Conv(6, 3), relu=Activation("relu"))),
    mean=GlobalAvgPool(),
    head=Dense(3),
)
LONG = "stage_number_3/block_number_2/body/expansion/convolution"
CHECK = GradientCheck((LayerGradient("conv", 1.0, 2.0, 3e-12), LayerGradient(LONG, None, 2.0, None)), 2, 8)
LARGE = 25  # classes: more than a matrix of buttons is made for


def subject(classes, labels):
    pixels = images(len(labels), 12, 12, 3)
    network = dataclasses.replace(NETWORK, parts=(*NETWORK.parts[:-1], ("head", Dense(classes))))
    names = tuple(f"species no. {i}" for i in range(classes))
    made = trained(network, pixels, labels, probabilities(labels, classes), names)
    return dataclasses.replace(made, gradients=CHECK, seconds=60.0)


@pytest.fixture(scope="session")
def shown(tmp_path_factory):
    """What was trained, and the file of its page, by the number of classes."""
    made = {}

    def page_of(classes):
        if classes not in made:
            given = subject(classes, np.random.default_rng(0).integers(0, classes, 90))
            file = tmp_path_factory.mktemp("page") / "report.html"
            file.write_text(html(given, *SECTIONS), encoding="utf-8")
            made[classes] = given, file
        return made[classes]

    return page_of


@pytest.mark.parametrize("classes", [3, LARGE])
def test_the_sections_fit_and_are_for_everyone(shown, page, classes):
    page.goto(shown(classes)[1].as_uri())
    assert overflow(page) == 0
    assert violations(page) == []
    page.locator("#confusion table button[popovertarget]").first.click()
    assert violations(page) == []


@pytest.mark.parametrize("classes", [3, LARGE])
def test_the_page_is_valid(shown, classes):
    assert invalid_html(shown(classes)[1].read_text(encoding="utf-8")) == []


@once
@pytest.mark.parametrize("classes", [3, LARGE])
def test_the_keyboard_reaches_everything(shown, page, classes):
    page.goto(shown(classes)[1].as_uri())
    assert not_reached_by_tab(page) == []


@once
def test_another_picture_has_its_own_maps(shown, page):
    page.goto(shown(3)[1].as_uri())
    maps = page.locator("#maps .panel:visible .layers img")
    choices = page.get_by_role("group", name="Picture").get_by_role("radio")
    choices.first.focus()
    before = [image.get_attribute("src") for image in maps.all()]
    page.keyboard.press("ArrowRight")
    assert choices.nth(1).is_checked() and maps.count() == len(before)
    after = [image.get_attribute("src") for image in maps.all()]
    assert all(one != other for one, other in zip(before, after, strict=True))
    assert all(image.evaluate("image => image.complete && image.naturalWidth > 0") for image in maps.all())
    choices.first.check(force=True)
    assert [image.get_attribute("src") for image in maps.all()] == before


@once
def test_a_choice_that_the_browser_remembers_is_shown(shown, page):
    page.goto(shown(3)[1].as_uri())
    page.get_by_role("group", name="Picture").get_by_role("radio").nth(3).check(force=True)
    assert page.locator("#maps .panel:visible").get_attribute("data-picture") == "3"
    page.reload()
    chosen = page.locator("#maps input:checked").get_attribute("value")
    assert page.locator("#maps .panel:visible").get_attribute("data-picture") == chosen


@once
@pytest.mark.parametrize("classes", [3, LARGE])
def test_a_cell_opens_its_pictures_by_keyboard(shown, page, classes):
    given, file = shown(classes)
    page.goto(file.as_uri())
    button = page.locator("#confusion table button[popovertarget]").last
    true, said = map(int, button.get_attribute("popovertarget").split("-")[1:])
    there = np.flatnonzero((given.tested.labels == true) & (given.tested.said == said))
    button.focus()
    page.keyboard.press("Enter")
    opened = page.locator(".behind:visible")
    assert opened.count() == 1 and opened.locator(".thumb").count() == min(12, len(there))
    assert page.evaluate("document.activeElement.textContent") == "Close"
    first = opened.locator(".thumb").first
    image = int(first.get_attribute("aria-label").split()[-1])
    assert image == max(there, key=lambda i: given.tested.confidence[i])
    page.keyboard.press("Escape")
    assert opened.count() == 0
    assert button.evaluate("button => button === document.activeElement")


@once
def test_a_thumbnail_shows_its_own_pixels(shown, page):
    """As the browser paints it, cut out of the sheet: a pixel of the picture is some of the screen's."""
    given, file = shown(3)
    page.goto(file.as_uri())
    page.locator("#confusion table button[popovertarget]").first.click()
    for thumb in page.locator(".behind:visible .thumb").all()[:3]:
        image = int(thumb.get_attribute("aria-label").split()[-1])
        painted = decoded(f"data:image/png;base64,{base64.b64encode(thumb.screenshot()).decode()}")[..., :3]
        zoom = painted.shape[0] // 12
        middle = painted[zoom // 2 :: zoom, zoom // 2 :: zoom][:12, :12]
        inside = (slice(1, -1), slice(1, -1))  # whose corners are round
        np.testing.assert_array_equal(middle[inside], given.tested.images[image][inside])


@once
def test_classes_are_sorted_by_a_column(shown, page):
    page.goto(shown(LARGE)[1].as_uri())
    table = page.locator("table.sortable")

    def recalls():
        return table.locator("tbody tr").evaluate_all("rows => rows.map(row => Number(row.cells[3].dataset.sort))")

    before = recalls()
    for order in ("ascending", "descending"):
        table.get_by_role("button", name="recall").click()
        assert recalls() == sorted(before, reverse=order == "descending")
        assert table.locator("th[aria-sort]").all_text_contents() == ["recall"]
        assert table.locator("th[aria-sort]").get_attribute("aria-sort") == order
    assert before != sorted(before)


def test_the_name_of_a_layer_is_one_line(shown, page):
    page.goto(shown(3)[1].as_uri())
    short, long = page.locator("#gradient_check tbody tr").evaluate_all("rows => rows.map(row => row.offsetHeight)")
    assert long == short


def test_the_name_of_a_class_is_not_broken_letter_by_letter(shown, page):
    page.goto(shown(LARGE)[1].as_uri())
    lines = """rows => rows.map(row => {
        const name = document.createRange();
        name.selectNodeContents(row.cells[0]);
        return new Set([...name.getClientRects()].map(box => box.top)).size;
    })"""
    assert max(page.locator("table.sortable tbody tr").evaluate_all(lines)) <= 2


def test_a_number_stands_out_however_full_its_cell_is(shown, page):
    page.goto(shown(3)[1].as_uri())
    page.locator(".matrix .right, .matrix .wrong").evaluate_all(
        "cells => cells.forEach(cell => cell.style.setProperty('--t', 1))"
    )
    assert page.locator(".matrix .wrong").count() > 0 and violations(page) == []


@once
@pytest.mark.parametrize("classes", [3, LARGE])
def test_numbers_and_headings_are_printed(shown, page, classes):
    page.goto(shown(classes)[1].as_uri())
    page.emulate_media(media="print")
    headings = page.locator("table.sortable thead th")
    assert headings.all_inner_texts() == ["class", "images", "precision", "recall", "F1"]
    buttons = page.locator("#confusion table button[popovertarget]")
    assert buttons.count() > 0 and all(button.is_visible() for button in buttons.all())
    assert not page.locator("[data-copy], .unfold").filter(visible=True).count()


def test_without_a_script_all_maps_are_there_and_no_control_that_does_nothing(shown, chromium):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(shown(3)[1].as_uri())
    panels = page.locator("#maps .panel")
    assert panels.count() > 1 and all(panel.is_visible() for panel in panels.all())
    assert not page.locator("#maps .choice").is_visible()
    page.locator("#confusion table button[popovertarget]").first.click()
    assert page.locator(".behind:visible").count() == 1
    context.close()


@once
def test_blocks_of_the_network_fold(shown, page):
    page.goto(shown(3)[1].as_uri())
    block = page.locator("#network details").first
    inner = block.get_by_text("Conv(features=6)")
    assert inner.is_visible()
    block.locator("summary").first.focus()
    page.keyboard.press("Enter")
    assert not inner.is_visible()
