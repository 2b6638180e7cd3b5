"""The page of `jaxcnn serve`, as people use it: what it shows is what the model says."""

import base64
import re
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from jaxcnn import load_model
from tests.browser.checks import invalid_html, not_reached_by_tab, once, overflow, violations
from tests.browser.conftest import CHROMIUM


@pytest.fixture(scope="module")
def model(trained):
    return load_model(trained.run.path)


@pytest.fixture(scope="module")
def address(trained):
    for needed in ("fastapi", "fastapi_offline", "uvicorn", "python_multipart", "httpx"):
        pytest.importorskip(needed, reason="needs jaxcnn[pages-tests]")
    from tests.serve.conftest import running

    serving = running("tests.train.tiny", "serve", trained.run.path, "--port", 0)
    yield next(serving).address
    next(serving, None)


@pytest.fixture(scope="module")
def seven(trained, model):
    """The file of a digit, larger than the network sees it; its class, and the probability in the page's words."""
    dataset = trained.experiment.dataset
    image = dataset.test_images[np.flatnonzero(dataset.test_labels == 7)[0], ..., 0]
    file = BytesIO()
    Image.fromarray(image).resize((80, 80), Image.Resampling.NEAREST).save(file, "PNG")
    p = np.asarray(model.probabilities([BytesIO(file.getvalue())]))[0]
    return file.getvalue(), model.classes[p.argmax()], percent(p.max())


def percent(p):
    """As the page writes it."""
    return f"{100 * float(p):.1f}".removesuffix(".0") + "%"


GIVE = """([kind, content]) => {
  const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
  const transfer = new DataTransfer();
  if (kind === "text") transfer.setData("text/plain", "hello");
  else if (kind === "large") transfer.items.add(new File([new Uint8Array(21 * 2 ** 20)], "large.png"));
  else transfer.items.add(new File([bytes], "seven.png", { type: "image/png" }));
  const drop = new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true });
  const paste = new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true });
  document.querySelector("#drop").dispatchEvent(kind === "paste" ? paste : drop);
}"""


def give(page, kind, content=b""):
    page.evaluate(GIVE, [kind, base64.b64encode(content).decode()])


def shown(page, text):
    """Wait until the page says this."""
    page.locator("#said", has_text=re.compile(f"^{re.escape(text)}$")).wait_for()


def whole(page):
    """Wait until all parts have been filled in."""
    page.locator("#overlay[src][alt*=' for ']").wait_for()
    page.locator("#maps[aria-busy='false'] img").first.wait_for()


@pytest.mark.parametrize("how", ["drop", "paste"])
def test_a_picture_that_is_dropped_or_pasted_is_told(page, address, seven, how):
    content, name, p = seven
    page.goto(address)
    assert overflow(page) == 0
    give(page, how, content)
    shown(page, f"{name}, {p}")
    first = page.locator("#probabilities li").first
    assert first.inner_text().split() == [name, p]
    assert page.locator("#probabilities li").count() == 5
    whole(page)
    assert overflow(page) == 0


def test_it_is_for_everyone_before_and_after(page, address, seven):
    page.goto(address)
    assert violations(page) == []
    page.locator("#draw").click()
    assert violations(page) == []
    page.locator("#file").set_input_files({"name": "seven.png", "mimeType": "image/png", "buffer": seven[0]})
    shown(page, f"{seven[1]}, {seven[2]}")
    whole(page)
    assert violations(page) == []


@once
def test_the_keyboard_reaches_everything(page, address, seven):
    page.goto(address)
    give(page, "drop", seven[0])
    shown(page, f"{seven[1]}, {seven[2]}")
    whole(page)
    page.locator("#draw").click()
    page.locator("#layer").focus()
    page.keyboard.press("Tab")  # out of the page, to begin at its top
    assert not_reached_by_tab(page) == []


@once
def test_all_that_is_chosen_changes_what_is_shown(page, address, seven, model):
    page.goto(address)
    give(page, "drop", seven[0])
    whole(page)
    sources = [page.locator("#overlay").get_attribute("src")]
    for select, choice, alt in [
        ("#class", "3", "Grad-CAM for 3,"),
        ("#method", "saliency", "saliency for 3,"),
        ("#method", "gradcam", "Grad-CAM for 3,"),
        ("#at", "conv", "Grad-CAM for 3,"),
    ]:
        page.locator(select).select_option(choice)
        page.locator(f"#overlay[alt^='{alt}'][aria-busy='false']").wait_for()
        sources.append(page.locator("#overlay").get_attribute("src"))
    assert len(set(sources[:3])) == 3
    assert page.locator("#at").is_enabled()
    for layer, maps in (("head", 1), ("conv", 4)):
        page.locator("#layer").select_option(layer)
        page.locator(f"#maps[aria-busy='false'] li:nth-child({maps}):last-child img").wait_for()
    assert "Its output has 4 × 4 × 4 values" in page.locator("#shape").inner_text()


@once
def test_covering_a_part_by_arrow_keys_and_by_pointer(page, address, seven, model):
    """What is shown is what the model says of the picture with that part in the mean colour."""
    content, name, before = seven
    page.goto(address)
    give(page, "drop", content)
    whole(page)
    field, fell, pixels = page.locator("#field"), page.locator("#fell"), model.pixels(BytesIO(content))
    mean = round(255 * model.card.mean[0])

    def expected(top, left, side):
        covered = pixels.copy()
        covered[top : top + side, left : left + side] = mean
        p = np.asarray(model.probabilities([covered]))[0]
        return f"{name}: {before} before, {percent(p[model.classes.index(name)])} now"

    field.focus()
    page.keyboard.press("ArrowRight")  # from the middle by a pixel, of the patch of 0.3 · 8 pixels
    fell.filter(has_text=expected(3, 4, 2)).wait_for()
    page.keyboard.press("ArrowUp")
    fell.filter(has_text=expected(2, 4, 2)).wait_for()
    page.keyboard.press("Escape")
    fell.filter(has_text="Nothing is covered.").wait_for()
    field.scroll_into_view_if_needed()
    box = field.bounding_box()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.6 * box["height"])
    fell.filter(has_text=expected(4, 2, 2)).wait_for()
    assert page.locator("#covered .was").count() == 5


@once
def test_drawing_by_pointer_and_by_keyboard(page, address, model):
    """A stroke down the middle is what the network sees: light on dark, as digits are."""
    page.goto(address)
    page.locator("#draw").click()
    box = page.locator("#board").bounding_box()
    across = box["x"] + box["width"] / 2
    page.mouse.move(across, box["y"] + 0.1 * box["height"])
    page.mouse.down()
    page.mouse.move(across, box["y"] + 0.9 * box["height"], steps=5)
    page.mouse.up()
    whole(page)
    assert comes(page, lambda seen: seen[1:7, 3:5].mean() > 60 and seen[:, [0, 1, 6, 7]].max() < 10)
    page.locator("#clear").click()
    page.locator("#board").focus()
    page.keyboard.press("Space")
    for _ in range(10):
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("Space")
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    assert comes(page, lambda seen: seen[3:5, 1:4].mean() > 60 and seen[:2].max() < 10 and seen[:, 6:].max() < 10)


def comes(page, condition):
    """Whether what the page shows as what the network sees comes to be so, within 600 of its frames."""
    return any(condition(looked_at(page)) for _ in range(600))


def looked_at(page):
    """The pixels of that, after the next frame."""
    data = page.evaluate(
        """async () => {
          await new Promise(requestAnimationFrame);
          const image = document.querySelector("#seen img");
          while (!(await image.decode().then(() => true, () => false)))  // it is replaced by the next one
            await new Promise(requestAnimationFrame);
          const canvas = document.createElement("canvas");
          [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
          canvas.getContext("2d").drawImage(image, 0, 0);
          return canvas.toDataURL("image/png").split(",")[1];
        }"""
    )
    return np.asarray(Image.open(BytesIO(base64.b64decode(data))).convert("L")).astype(int)


@once
def test_what_is_wrong_is_told(page, address, seven, complaints):
    page.goto(address)
    give(page, "drop", b"no picture")
    page.locator("#said.wrong", has_text="the picture can't be read: not a picture").wait_for()
    assert [c for c in complaints if "400" not in c] == []
    complaints.clear()
    give(page, "text")
    page.locator("#said.wrong", has_text="What was dropped is no file").wait_for()
    give(page, "large")
    page.locator("#said.wrong", has_text="The picture has 22,020,096 bytes; the server takes at most").wait_for()
    give(page, "drop", seven[0])
    shown(page, f"{seven[1]}, {seven[2]}")


@once
def test_without_a_camera_a_file_is_asked_for(page, address):
    page.goto(address)
    with page.expect_file_chooser() as chooser:
        page.locator("#photograph").click()
    assert chooser.value.element.get_attribute("capture") == "environment"


def test_a_photograph_is_taken(chromium, address):
    fake = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    browser = chromium.browser_type.launch(executable_path=CHROMIUM, args=fake)
    page = browser.new_page()
    page.goto(address)
    page.locator("#photograph").click()
    page.locator("#shoot").click()
    page.locator("#probabilities li").first.wait_for()
    page.locator("#unplug").click()
    assert not page.locator("#camera").is_visible()
    browser.close()


@once
def test_the_page_of_the_api_needs_no_network(page, address):
    page.goto(f"{address}/docs")
    page.locator("[id$='predict_predict_post']").wait_for()
    page.locator("[id$='health_health_get']").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    page.get_by_text('"ready": true').first.wait_for()


def test_the_page_is_valid(address):
    import httpx

    assert invalid_html(httpx.get(address).text) == []
