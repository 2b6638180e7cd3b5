import numpy as np
import pytest

from jaxcnn.report import augmented, style
from tests.report.test_pictures import WORDS, count


@pytest.mark.parametrize(("channels", "size"), [(1, (6, 6)), (3, (4, 8))])
def test_every_image_is_in_the_picture(tmp_path, channels, size):
    grays = np.arange(20, 220, 20, dtype=np.uint8).reshape(2, 5)
    images = grays[..., None, None, None] * np.ones((*size, channels), np.uint8)
    augmented.save(images, [["a"] * 5] * 2, tmp_path / "a.png", title="grays")
    for gray in grays.flat:
        assert count(tmp_path / "a.png", f"#{gray:02x}{gray:02x}{gray:02x}") > 10_000


def test_the_words_of_users_are_no_mathematics(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(style, "save", lambda figure, path: figures.append(figure))
    augmented.save(np.zeros((1, len(WORDS), 2, 2, 1)), [WORDS], tmp_path / "a.png", title="$a$_b$: %")
    texts = [text for axes in figures[0].axes for text in axes.texts]
    assert tuple(text.get_text() for text in texts) == WORDS and not any(text.get_parse_math() for text in texts)
