"""The documentation, read from its folder."""

import pytest

from tests.browser.checks import invalid_html, not_reached_by_tab, once, overflow, violations

NAMES = ("index", "derivations/norm", "api/conv", "coming-from/pytorch", "benchmarks")


@pytest.mark.parametrize("name", NAMES)
def test_a_page_fits_and_is_for_everyone(site, page, name):
    page.goto((site / f"{name}.html").as_uri())
    assert overflow(page) == 0
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    lightness = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]")
    assert (int(lightness) < 100) == dark
    assert violations(page) == []


@once
@pytest.mark.parametrize("name", NAMES)
def test_a_page_fits_windows_of_all_widths(site, page, name):
    page.goto((site / f"{name}.html").as_uri())
    for width in range(360, 1700, 70):  # at some the columns beside the text come and go
        page.set_viewport_size({"width": width, "height": 800})
        assert overflow(page) == 0, width


@once
def test_formulas_are_drawn(site, page):
    page.goto((site / "derivations" / "norm.html").as_uri())
    heights = page.eval_on_selector_all("math mfrac", "all => all.map(f => f.getBoundingClientRect().height)")
    assert len(heights) > 10 and min(heights) > 12  # two storeys, and not one line of text


@once
def test_search_finds(site, page):
    page.goto((site / "index.html").as_uri())
    page.get_by_role("textbox", name="Search").fill("grid_sample")
    page.keyboard.press("Enter")
    page.wait_for_selector("#search-results li a")
    found = page.eval_on_selector_all("#search-results li a", "all => all.map(a => a.href)")
    assert any("api/resize.html" in link for link in found)


@once
def test_the_keyboard_reaches_everything(site, page):
    page.goto((site / "index.html").as_uri())
    assert not_reached_by_tab(page) == []


def test_pages_are_valid(site):
    wrong = {str(path.relative_to(site)): invalid_html(path.read_text()) for path in sorted(site.rglob("*.html"))}
    assert {name: found for name, found in wrong.items() if found} == {}
