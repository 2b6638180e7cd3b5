"""The pages of `jaxcnn show`, stepped through."""

import pytest

from jaxcnn.ops.rule import RULES
from jaxcnn.report.show import page as written
from tests.browser.checks import invalid_html, not_reached_by_tab, once, overflow, violations


@pytest.fixture(scope="session")
def shown(tmp_path_factory):
    """The address of the page that shows these operations."""
    folder = tmp_path_factory.mktemp("shown")

    def address(*names):
        file = folder / f"{names[0]}_{len(names)}.html"
        if not file.exists():
            file.write_text(written(names), encoding="utf-8")
        return file.as_uri()

    return address


@pytest.mark.parametrize("name", ["conv", "relu", "softmax_cross_entropy"])
def test_a_page_fits_and_is_for_everyone(shown, page, name):
    page.goto(shown(name))
    assert overflow(page) == 0
    assert violations(page) == []


def test_the_course_fits_and_is_for_everyone(shown, page):
    page.goto(shown(*RULES))
    assert overflow(page) == 0
    assert violations(page) == []
    assert page.locator("article").count() == len(RULES)


def test_all_pages_are_valid():
    wrong = {name: invalid_html(written([name])) for name in RULES} | {"--all": invalid_html(written(list(RULES)))}
    assert {name: found for name, found in wrong.items() if found} == {}


@once
def test_the_keyboard_reaches_everything(shown, page):
    for name in ("conv", "relu"):
        page.goto(shown(name))
        assert not_reached_by_tab(page) == []
