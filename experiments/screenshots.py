"""The README's pictures of pages, taken anew: an operation's, a run's, the served one, the documentation.

    python experiments/screenshots.py [--run runs/demo] [--out experiments/pictures]

Takes a minute on 2 CPU cores. It needs Chromium, `pip install -e ".[docs,pages-tests]"`, and a run of digits, which
`make demo` makes. In the served page a 3 is drawn by the mouse.
"""

import argparse
import io
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parent.parent
THREE = [(0.35, 0.15), (0.75, 0.2), (0.45, 0.48), (0.75, 0.7), (0.35, 0.88)]  # corners: across, down


def operation(page: Page, folder: Path) -> None:
    """Convolution, at one entry of y."""
    jaxcnn("show", "conv", "--out", folder / "conv.html")
    page.goto((folder / "conv.html").as_uri())
    for _ in range(5):
        page.get_by_role("button", name="Next").click()


def report(page: Page, run: Path, folder: Path) -> None:
    """A run's page from its top, its curves read halfway through training."""
    jaxcnn("report", run, "--out", folder / "run.html")
    page.goto((folder / "run.html").as_uri())
    box = page.locator("#curves svg").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def served(page: Page, address: str) -> None:
    """A 3 that is drawn, what would speak for an 8, and what covering its middle does."""
    page.goto(address)
    page.locator("#draw").click()
    box = page.locator("#board").bounding_box()
    assert box is not None
    corners = [(box["x"] + across * box["width"], box["y"] + down * box["height"]) for across, down in THREE]
    page.mouse.move(*corners[0])
    page.mouse.down()
    for corner in corners[1:]:
        page.mouse.move(*corner, steps=8)
    page.mouse.up()
    page.locator("#maps[aria-busy='false'] img").first.wait_for()
    page.locator("#layer").select_option("conv2")
    page.locator("#maps[aria-busy='false'] li:nth-child(16) img").wait_for()
    page.locator("#class").select_option("8")
    page.locator("#overlay[alt*=' for 8'][aria-busy='false']").wait_for()
    page.locator("#field").focus()
    page.keyboard.press("ArrowRight")  # a pixel from the middle
    page.locator("#fell", has_text="before").wait_for()


def documentation(page: Page, site: Path) -> None:
    """A derivation."""
    page.goto((site / "derivations/norm.html").as_uri())


@contextmanager
def serving(run: Path) -> Iterator[str]:
    """The address of a server of this run's network."""
    command = [sys.executable, "-m", "jaxcnn", "serve", run, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield next(word for line in server.stdout for word in line.split() if word.startswith("http"))
        finally:
            server.terminate()


def jaxcnn(*words: Any) -> None:
    subprocess.run([sys.executable, "-m", "jaxcnn", *words], check=True, stdout=subprocess.DEVNULL)


def keep(page: Page, file: Path, *, whole: bool = False) -> None:
    """What the window shows, or the whole page, in 128 colours."""
    shown = Image.open(io.BytesIO(page.screenshot(full_page=whole)))
    shown.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(file, optimize=True)
    print(f"picture {file}")


def main(run: Path, out: Path) -> None:
    if not (run / "config.json").is_file():
        raise SystemExit(f"--run is {run}, which is no run folder; make demo leaves runs/demo.")
    out.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 960})
        operation(page, folder)
        keep(page, out / "show.png")
        report(page, run, folder)
        keep(page, out / "report.png")
        with serving(run) as address:
            served(page, address)
            keep(page, out / "serve.png", whole=True)
        subprocess.run([sys.executable, "-m", "sphinx", "-q", "docs", folder / "site"], cwd=ROOT, check=True)
        documentation(page, folder / "site")
        keep(page, out / "docs.png")
        browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/demo"))
    parser.add_argument("--out", type=Path, default=ROOT / "experiments/pictures")
    options = parser.parse_args()
    main(options.run, options.out)
