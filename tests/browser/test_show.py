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
    assert page.locator("article").count() == len(RULES)
    page.evaluate("document.querySelectorAll('article ~ article').forEach((other) => other.remove())")
    assert violations(page) == []  # the others are as alone, and would take a minute


def test_pages_are_valid():
    for names in (list(RULES), ["conv"], ["relu"]):
        assert invalid_html(written(names)) == []


@once
def test_the_keyboard_reaches_everything(shown, page):
    for name in ("conv", "relu"):
        page.goto(shown(name))
        assert not_reached_by_tab(page) == []


LIT = """[...document.querySelectorAll('.grid [data-entry]')].filter((cell) => /lit|chosen/.test(cell.classList))
  .map((cell) => [cell.closest('.grid').dataset.name, cell.querySelector('.number').textContent])"""


@once
def test_stepping_by_keyboard_shows_what_goes_where(shown, page):
    """Of max pooling each y is one entry of x, which gets the whole of dy."""
    page.goto(shown("max_pool"))
    page.get_by_role("button", name="Next").focus()
    steps = page.locator('.grid[data-name="y"] [data-entry]').count()
    for step in range(1, steps + 1):
        page.keyboard.press("Enter")
        lit = page.evaluate(LIT)
        assert [name for name, _ in lit] == ["x", "y", "dx", "dy"]
        x, y, dx, dy = (number for _, number in lit)
        assert x == y and dx == dy
        assert page.locator(".count").inner_text() == f"{step} of {steps}"
        assert page.locator(".said").inner_text().replace("\xa0", " ").split(" depends on ")[0].endswith(f"= {y}")


@once
def test_arrows_go_through_an_array(shown, page):
    page.goto(shown("avg_pool"))

    def said():
        return page.locator(".said").inner_text().replace("\xa0", " ")

    page.locator('.grid[data-name="y"] [data-entry="0"]').focus()
    assert said().startswith("y[0, 0] = 4 depends on 4 entries of x. Back goes dy[0, 0] = 1, times each derivative")
    page.keyboard.press("ArrowRight")
    assert said().startswith("y[0, 1] = ")
    page.locator('.grid[data-name="x"] [data-entry="5"]').focus()
    assert said().startswith("x[1, 1] = 9 reaches 4 entries of y")
    _, terms, total = said().rstrip(".").replace("≈", "=").split(" = ")[-3:]
    products = [term.strip("()").split(" × ") for term in terms.replace("−", "-").split(" + ")]
    assert sum(float(slope) * float(dy.strip("()")) for slope, dy in products) == pytest.approx(float(total), abs=0.03)
    assert ["dx", total] in page.evaluate(LIT)
    page.keyboard.press("Escape")
    assert said().startswith("The whole call") and page.evaluate(LIT) == []


@once
def test_a_curve_is_read_by_arrows(shown, page):
    """relu's slope, left of 0 and right of it."""
    page.goto(shown("relu"))
    page.get_by_role("slider").focus()
    page.keyboard.press("Home")
    assert "gets 0 times as much" in page.locator(".said").inner_text()
    page.keyboard.press("End")
    assert "gets 1 times as much" in page.locator(".said").inner_text()


@pytest.mark.parametrize("page", ["phone-light"], indirect=True)
def test_a_formula_is_broken_where_it_may_be(shown, page):
    """What is wider than a phone even so is scrolled within its box."""
    page.goto(shown("triplet"))
    boxes = "[...document.querySelectorAll('.formulas, .told p, .summary')]"
    wider = f"{boxes}.filter((box) => box.scrollWidth > box.clientWidth).map((box) => [box.className, box.tabIndex])"
    assert page.evaluate(wider) == [["summary", 0]]
