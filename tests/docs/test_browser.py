"""The documentation, read in a browser, from its folder."""

import shutil

import pytest

api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")


@pytest.fixture(scope="module")
def chromium():
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(params=[("light", 1280), ("dark", 390)], ids=["desktop-light", "phone-dark"])
def page(request, chromium):
    """A page that complains of what its console says, and of what it asks of elsewhere."""
    scheme, width = request.param
    page = chromium.new_page(color_scheme=scheme, viewport={"width": width, "height": 900})
    wrong = []
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: wrong.append(request.url) if request.url.startswith("http") else None)
    yield page
    page.close()
    assert not wrong


NAMES = ("index", "derivations/norm", "api/conv", "coming-from/pytorch", "benchmarks")


def test_pages_fit_and_nothing_is_wrong(site, page):
    for name in NAMES:
        page.goto((site / f"{name}.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
        lightness = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]")
        assert (int(lightness) < 100) == dark


def test_formulas_are_drawn(site, page):
    page.goto((site / "derivations" / "norm.html").as_uri())
    heights = page.eval_on_selector_all("math mfrac", "all => all.map(f => f.getBoundingClientRect().height)")
    assert len(heights) > 10 and min(heights) > 12  # two storeys, and not one line of text


def test_search_finds(site, page):
    page.goto((site / "search.html").as_uri() + "?q=grid_sample")
    page.wait_for_selector("#search-results li a")
    found = page.eval_on_selector_all("#search-results li a", "all => all.map(a => a.href)")
    assert any("api/resize.html" in link for link in found)
