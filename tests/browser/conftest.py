"""Pages in Debian's Chromium, or another of the system's, through Playwright; without these the tests are skipped.

A test here takes `page`, goes somewhere, and does what people do; what is wrong on the way fails it by itself.
"""

import shutil
from urllib.parse import urlsplit

import pytest

from tests.docs.conftest import site  # noqa: F401  (a fixture)

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
LOOKS = {
    f"{device}-{scheme}": (width, scheme)
    for device, width in {"phone": 390, "desktop": 1280}.items()
    for scheme in ("light", "dark")
}
ALLOWED = (None, "127.0.0.1", "localhost")  # a file and what is written in a page have no host


@pytest.fixture(
    scope="package"
)  # and not of the session: while Playwright runs, asyncio.run works in its thread no more
def chromium():
    api = pytest.importorskip("playwright.sync_api", reason="needs jaxcnn[pages-tests]")
    if CHROMIUM is None:
        pytest.skip("needs Chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def complaints():
    """What has gone wrong so far. One that a test means to provoke it takes out."""
    found = []
    yield found
    assert not found


@pytest.fixture(params=LOOKS)
def page(request, chromium, complaints):
    """A page of each look, that complains of what its console says and of what it asks of elsewhere."""
    width, scheme = LOOKS[request.param]
    look = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}}
    page = chromium.new_page(**look, reduced_motion="reduce")  # so that no click comes while the page still scrolls
    page.set_default_timeout(20_000)
    page.on("console", lambda message: message.type in ("error", "warning") and complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda sent: urlsplit(sent.url).hostname in ALLOWED or complaints.append(sent.url))
    yield page
    page.close()
