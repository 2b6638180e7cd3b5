"""The README's pictures of pages, those that need no trained network."""

from PIL import Image

from experiments import screenshots
from tests.browser.checks import once


@once
def test_a_page_is_opened_and_kept(site, page, tmp_path):
    screenshots.operation(page, tmp_path)
    assert page.locator(".count").inner_text() == "5 of 9"
    screenshots.keep(page, tmp_path / "show.png")
    screenshots.documentation(page, site)
    screenshots.keep(page, tmp_path / "docs.png")
    for name in ("show.png", "docs.png"):
        assert (tmp_path / name).stat().st_size < 150_000
        with Image.open(tmp_path / name) as picture:
            assert picture.size == (1280, 900) and len(picture.getcolors()) > 20
