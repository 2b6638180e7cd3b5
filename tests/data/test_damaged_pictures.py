"""Picture files that are damaged or odd: read as Pillow shows them, or named."""

import io
import re
import struct
import warnings

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from jaxcnn.data import load
from jaxcnn.data.pictures import decode

UPRIGHT = np.arange(6 * 4, dtype=np.uint8).reshape(6, 4) * 10


def exif(*entries, orientation=6):
    """EXIF with this orientation and further entries (tag, type, count, four bytes) as they are given."""
    directory = sorted([(0x0112, 3, 1, struct.pack("<HH", orientation, 0)), *entries])
    packed = b"".join(struct.pack("<HHI", *entry[:3]) + entry[3] for entry in directory)
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(directory)) + packed + bytes(4) + struct.pack("<II", 4, 1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    "entries",
    [
        [],
        [(0x0100, 5, 1, struct.pack("<I", 38))],  # ImageWidth as a RATIONAL
        [(0x0101, 2, 4, b"abc\0")],  # ImageLength as text
        [(0x8769, 4, 1, struct.pack("<I", 10**6))],  # a directory far behind the end
        [(0x010E, 2, 10**6, struct.pack("<I", 10**6))],  # a description that is not there
        [(0x0102, 99, 1, bytes(4))],  # of a type that does not exist
    ],
)
def test_a_picture_is_turned_whatever_its_other_tags_are(tmp_path, kind, entries):
    path = tmp_path / f"picture.{kind.lower()}"
    lying = Image.fromarray(np.rot90(UPRIGHT)).convert("RGB")
    exact = {"JPEG": {"quality": 100}, "PNG": {}, "WEBP": {"lossless": True}}[kind]
    lying.save(path, kind, exif=exif(*entries), **exact)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of the tags
        pixels = decode(path)
    assert pixels.shape == (6, 4, 3)
    np.testing.assert_allclose(pixels[..., 0], UPRIGHT, atol=3 if kind == "JPEG" else 0)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
@pytest.mark.parametrize("malformed", [b"Exif\0\0nonsense", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0", b"\0"])
@pytest.mark.filterwarnings("ignore:Corrupt EXIF")  # Pillow's; the folder's reader keeps them to itself
def test_a_picture_with_malformed_exif_is_taken_as_it_lies(tmp_path, kind, malformed):
    path = tmp_path / f"picture.{kind.lower()}"
    Image.fromarray(UPRIGHT).convert("RGB").save(path, kind, exif=malformed)
    assert decode(path).shape == (6, 4, 3)


def originals():
    """(ending, bytes) of a picture of each kind, with what kinds can have: EXIF, a profile, a palette, a mask."""
    rng = np.random.default_rng(0)
    colour = Image.fromarray(rng.integers(0, 256, (12, 9, 3), dtype=np.uint8))
    gray, palette = colour.convert("L"), colour.quantize(7)
    turned = {"exif": exif((0x010E, 2, 4, b"abc\0"))}
    profile = {"icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()}
    made = [
        *[(colour, ending, turned | profile) for ending in ("jpg", "png", "webp")],
        (gray, "jfif", turned),
        (colour.convert("CMYK"), "jpe", {}),
        (palette, "png", {"transparency": bytes(range(7))}),
        (gray, "png", {"transparency": 3}),
        (palette, "gif", {"transparency": 2}),
        (colour, "tif", {"compression": "raw"} | profile),
        (palette, "tiff", {"compression": "tiff_lzw"}),
        *[(colour, ending, {}) for ending in ("bmp", "ppm", "tga", "qoi", "ico", "jp2")],
        (gray, "pgm", {}),
    ]
    for picture, ending, options in made:
        file = io.BytesIO()
        kind = Image.registered_extensions()[f".{ending}"]
        picture.save(file, kind, **options)
        yield ending, file.getvalue()


def mutated(content, rng):
    """The bytes with an accident: some flipped, cut off, lost, doubled or zeroed; more often near the beginning."""
    data = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        n = len(data)
        at = int(min(n - 1, rng.exponential(40) if rng.random() < 0.6 else rng.integers(n)))
        length = int(rng.integers(1, 12))
        accident = rng.integers(6)
        if accident <= 1:
            data[at] ^= 1 << rng.integers(8)
        elif accident == 2:
            data[at] = rng.integers(256)
        elif accident == 3:
            del data[at : at + length]
        elif accident == 4:
            data[at:at] = data[at : at + length]
        else:
            data[at : at + length] = bytes(len(data[at : at + length]))
    return bytes(data[: rng.integers(n)] if rng.random() < 0.15 else data)


def over_white(picture):
    """The picture with its transparency, laid over white in exact numbers."""
    pixels = np.asarray(picture.convert("RGBA"), np.float64)
    colour, alpha = pixels[..., :3], pixels[..., 3:] / 255
    return Image.fromarray(np.uint8(np.rint(colour * alpha + 255 * (1 - alpha))))


def as_pillow_shows_it(path, size):
    """The pixels by Pillow's own functions, (size, size, 3), or None where it can't or they have more than 16 bits."""
    try:
        with Image.open(path) as picture:
            if picture.mode.startswith("I;16"):
                picture.load()
                gray = np.uint8(np.rint(np.asarray(picture) / 257))
                return np.asarray(ImageOps.fit(Image.fromarray(gray), (size, size), Image.Resampling.BILINEAR))[
                    ..., None
                ].repeat(3, -1)
            if picture.mode not in ("1", "L", "LA", "RGB", "RGBA", "RGBX", "P", "PA", "CMYK", "YCbCr", "HSV"):
                return None
            mode = "L" if picture.mode in ("1", "L", "LA") else "RGB"
            picture.load()
            try:
                picture = ImageOps.exif_transpose(picture)
            except Exception:
                try:
                    orientation = picture.getexif().get(0x0112)
                except Exception:
                    orientation = None
                simple = picture.getexif()
                simple.clear()
                simple[0x0112] = orientation or 1
                picture = ImageOps.exif_transpose(picture)
            if "A" in picture.mode or "transparency" in picture.info:
                picture = over_white(picture)
            picture = picture.convert(mode)
            if picture.size != (size, size):
                picture = ImageOps.fit(picture, (size, size), Image.Resampling.BILINEAR)
            return np.asarray(picture.convert("RGB"))
    except Exception:
        return None


def check_mutants(folder, number, seed):
    """Let the reader take `number` damaged pictures, ten at a time; how many of them it read."""
    rng, kinds, taken = np.random.default_rng(seed), list(originals()), 0
    for name in ("train/good", "test/good"):
        (folder / name).mkdir(parents=True)
        Image.new("RGB", (8, 8), (1, 2, 3)).save(folder / name / "1.png")
    (folder / "train/bad").mkdir()
    for begin in range(0, number, 9):
        paths = []
        for i in range(begin, begin + 9):
            ending, content = kinds[i % len(kinds)]
            paths.append(folder / f"train/bad/{i:05}.{ending}")
            paths[-1].write_bytes(mutated(content, rng))
        Image.new("RGB", (8, 8)).save(folder / "train/bad/z.png")  # or the class might be empty
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = {path: as_pillow_shows_it(path, 8) for path in paths}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            data = load(folder, image_size=8, skip_bad=True)
        named = set(re.findall(r"[^ ]*/train/bad/\d+\.\w+", " ".join(str(w.message) for w in caught)))
        assert named == {str(path) for path, pixels in expected.items() if pixels is None}
        shown = [pixels for pixels in expected.values() if pixels is not None]
        np.testing.assert_array_equal(data.train_images[: len(shown)], np.reshape(shown, (-1, 8, 8, 3)))
        assert len(data.train_images) == len(shown) + 2 and len(caught) <= 1
        taken += len(shown)
        for path in paths:
            path.unlink()
    return taken


def test_damaged_pictures_are_read_as_pillow_shows_them_or_named(tmp_path):
    taken = check_mutants(tmp_path, 306, seed=0)
    assert 60 < taken < 250, "nearly all or nearly none could be read: the accidents are too small or too large"
