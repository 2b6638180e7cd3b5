"""What becomes of every kind of picture: files that Pillow makes, against values worked out here."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from jaxcnn.data import load, pictures
from jaxcnn.data.pictures import decode

DEEP = np.uint16([[0, 128, 129, 385], [386, 32767, 65406, 65535]])  # 128 / 257 is below a half, 129 / 257 above
SHALLOW = np.uint8([[0, 0, 1, 1], [2, 127, 254, 255]])


def seen(path, **options):
    """What `decode` gives, when `header` says the same of its shape."""
    pixels = decode(path, **options)
    if not options:
        assert tuple(pictures.header(path)[:3]) == pixels.shape
    return pixels


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (1, lambda x: x),
        (2, np.fliplr),
        (3, lambda x: np.rot90(x, 2)),
        (4, np.flipud),
        (5, lambda x: np.swapaxes(x, 0, 1)),
        (6, lambda x: np.rot90(x, -1)),
        (7, lambda x: np.rot90(np.swapaxes(x, 0, 1), 2)),
        (8, np.rot90),
    ],
)
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P"])
def test_each_orientation_is_turned_upright(tmp_path, orientation, upright, mode):
    stored = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).convert(mode).save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(seen(tmp_path / "turned.png")[..., 0], upright(stored))
    assert pictures.header(tmp_path / "turned.png").turned == (orientation > 1)


@pytest.mark.parametrize("ending", ["png", "tif", "pgm", "jp2"])
def test_sixteen_bits_are_scaled(tmp_path, ending):
    options = {"irreversible": False, "num_resolutions": 1} if ending == "jp2" else {}
    Image.fromarray(DEEP).save(tmp_path / f"deep.{ending}", **options)
    np.testing.assert_array_equal(seen(tmp_path / f"deep.{ending}")[..., 0], SHALLOW)


def tiff(values, bits, photometric, order="<"):
    """A TIFF of gray pixels by hand; `values` are packed as `bits` each, and photometric 0 means that 0 is white."""
    height, width = values.shape
    packed = "".join(f"{v:0{bits}b}" for v in values.ravel())
    data = int(packed, 2).to_bytes(len(packed) // 8, "big")
    if bits == 16:
        data = values.astype(f"{order}u2").tobytes()
    entries = [
        (256, width),
        (257, height),
        (258, bits),
        (259, 1),
        (262, photometric),
        (273, 8),
        (277, 1),
        (278, height),
    ]
    entries.append((279, len(data)))
    size = len(data) + len(data) % 2
    directory = struct.pack(f"{order}H", len(entries))
    directory += b"".join(struct.pack(f"{order}HHIHH", tag, 3, 1, value, 0) for tag, value in entries)
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(f"{order}I", 8 + size) + data.ljust(size, b"\0") + directory + bytes(4)


@pytest.mark.parametrize(("order", "photometric"), [("<", 1), (">", 1), ("<", 0)])
def test_sixteen_bits_of_a_tiff(tmp_path, order, photometric):
    (tmp_path / "deep.tif").write_bytes(tiff(DEEP, 16, photometric, order))
    np.testing.assert_array_equal(seen(tmp_path / "deep.tif")[..., 0], SHALLOW if photometric else 255 - SHALLOW)


def test_twelve_bits_of_a_tiff_reach_white(tmp_path):
    values = np.uint16([[0, 8, 9, 24], [25, 2048, 4087, 4095]])  # 4095 / 255 is 16.06
    (tmp_path / "twelve.tif").write_bytes(tiff(values, 12, 1))
    np.testing.assert_array_equal(seen(tmp_path / "twelve.tif")[..., 0], [[0, 0, 1, 1], [2, 128, 255, 255]])


def test_sixteen_bits_among_eight_are_one_dataset(tmp_path):
    for i, name in enumerate(["a/1", "a/2", "b/1", "b/2"]):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("I;16" if i % 2 else "L", (4, 4), 200 * 257 if i % 2 else 200).save(tmp_path / f"{name}.png")
    data = load(tmp_path)
    assert data.image_shape == (4, 4, 1) and (data.train_images == 200).all() and (data.test_images == 200).all()


@pytest.mark.parametrize("mode", ["I", "F"])
def test_more_bits_are_refused_by_name(tmp_path, mode):
    Image.new(mode, (4, 4)).save(tmp_path / "deep.tif")
    with pytest.raises(ValueError, match=f"its pixels are of Pillow's mode '{mode}'; convert it to 8-bit"):
        decode(tmp_path / "deep.tif")


def over_white(colour, alpha):
    return np.rint((np.array(colour) * float(alpha) + 255 * (255.0 - alpha)) / 255).astype(int).tolist()


@pytest.mark.parametrize("ending", ["png", "webp", "tif"])
def test_alpha_is_laid_over_white(tmp_path, ending):
    colour, alphas = (10, 120, 250), (0, 1, 127, 128, 254, 255)
    picture = Image.new("RGBA", (6, 1))
    picture.putdata([(*colour, alpha) for alpha in alphas])
    picture.save(tmp_path / f"alpha.{ending}", **({"lossless": True, "exact": True} if ending == "webp" else {}))
    assert seen(tmp_path / f"alpha.{ending}")[0].tolist() == [over_white(colour, alpha) for alpha in alphas]


def test_alpha_of_grayscale(tmp_path):
    picture = Image.new("LA", (3, 1))
    picture.putdata([(60, 0), (60, 128), (60, 255)])
    picture.save(tmp_path / "alpha.png")
    assert seen(tmp_path / "alpha.png").tolist() == [[over_white([60], alpha) for alpha in (0, 128, 255)]]


@pytest.mark.parametrize(
    ("mode", "values", "transparent", "expected"),
    [
        ("L", [60, 70], 60, [[255], [70]]),
        ("1", [0, 255], 0, [[255], [255]]),
        ("I;16", [60 * 257, 70 * 257], 60 * 257, [[255], [70]]),
        ("RGB", [(1, 2, 3), (1, 2, 4)], (1, 2, 3), [[255] * 3, [1, 2, 4]]),
    ],
)
def test_a_transparent_colour_is_white(tmp_path, mode, values, transparent, expected):
    picture = Image.new(mode, (2, 1))
    for x, value in enumerate(values):
        picture.putpixel((x, 0), value)
    picture.save(tmp_path / "picture.png", transparency=transparent)
    assert seen(tmp_path / "picture.png")[0].tolist() == expected
    assert pictures.header(tmp_path / "picture.png").transparent


PALETTE = [[10, 20, 30], [40, 50, 60], [70, 80, 90]]


@pytest.mark.parametrize(
    ("ending", "transparent", "alphas"),
    [
        ("png", None, (255, 255, 255)),
        ("gif", None, (255, 255, 255)),
        ("bmp", None, (255, 255, 255)),
        ("png", 2, (255, 255, 0)),
        ("png", bytes([0, 128]), (0, 128, 255)),
        ("gif", 1, (255, 0, 255)),
    ],
)
def test_palettes(tmp_path, ending, transparent, alphas):
    picture = Image.new("P", (3, 1))
    picture.putpalette([*PALETTE[0], *PALETTE[1], *PALETTE[2]])
    picture.putdata([0, 1, 2])
    picture.save(tmp_path / f"palette.{ending}", **({} if transparent is None else {"transparency": transparent}))
    expected = [over_white(colour, alpha) for colour, alpha in zip(PALETTE, alphas, strict=True)]
    assert seen(tmp_path / f"palette.{ending}")[0].tolist() == expected
    assert pictures.header(tmp_path / f"palette.{ending}").transparent == (transparent is not None)


@pytest.mark.parametrize(("ending", "tolerance"), [("tif", 1), ("jpg", 3)])
def test_cmyk(tmp_path, ending, tolerance):
    inks = [(0, 0, 0, 0), (255, 0, 0, 0), (0, 255, 255, 0), (0, 0, 0, 255), (100, 50, 20, 60)]
    for cyan, magenta, yellow, black in inks:
        path = tmp_path / f"inks.{ending}"
        Image.new("CMYK", (16, 16), (cyan, magenta, yellow, black)).save(
            path, **({"quality": 100} if ending == "jpg" else {})
        )
        expected = [(255 - ink) * (255 - black) / 255 for ink in (cyan, magenta, yellow)]
        np.testing.assert_allclose(seen(path), np.broadcast_to(expected, (16, 16, 3)), atol=tolerance)


@pytest.mark.parametrize("profile", ["sRGB", "nonsense"])
@pytest.mark.parametrize("ending", ["png", "tif", "webp"])
def test_a_profile_is_not_applied(tmp_path, profile, ending):
    made = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    pixels = np.random.default_rng(0).integers(0, 256, (5, 4, 3), dtype=np.uint8)
    path = tmp_path / f"profiled.{ending}"
    lossless = {"lossless": True} if ending == "webp" else {}
    Image.fromarray(pixels).save(path, icc_profile=made if profile == "sRGB" else b"nonsense", **lossless)
    np.testing.assert_array_equal(seen(path), pixels)
    assert pictures.header(path).profiled


@pytest.mark.parametrize("ending", ["gif", "webp", "png", "tif"])
def test_of_an_animation_the_first_frame_is_taken(tmp_path, ending):
    frames = [Image.new("RGB", (8, 6), colour) for colour in [(200, 10, 30), (10, 200, 30), (30, 10, 200)]]
    options = {"lossless": True} if ending == "webp" else {}
    frames[0].save(tmp_path / f"film.{ending}", save_all=True, append_images=frames[1:], **options)
    with Image.open(tmp_path / f"film.{ending}") as film:
        assert film.n_frames == 3
    np.testing.assert_array_equal(seen(tmp_path / f"film.{ending}"), np.broadcast_to([200, 10, 30], (6, 8, 3)))


@pytest.mark.parametrize("mode", ["L", "1", "LA", "I;16"])
def test_gray_among_colour_has_three_equal_channels(tmp_path, mode):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    for i in range(5):
        Image.new("RGB", (4, 4), (i, 100, 200)).save(tmp_path / f"a/{i}.png")
        Image.new(mode, (4, 4), {"1": 255, "LA": (255, 255), "I;16": 65535}.get(mode, 255)).save(
            tmp_path / f"b/{i}.png"
        )
    data = load(tmp_path)
    assert data.image_shape == (4, 4, 3)
    assert (data.train_images[data.train_labels == 1] == 255).all()
    assert data.train_images[0, 0, 0].tolist() == [1, 100, 200]


def bomb(width, height):
    """A PNG that says it is this large, and has no pixels."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"")),
        (b"IEND", b""),
    ]
    made = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + made


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("bomb.png", bomb(60_000, 60_000), "could be decompression bomb"),
        ("cut.jpg", None, "image file is truncated"),
        ("head.jpg", None, "not a picture of any kind that Pillow reads"),
    ],
)
def test_bombs_and_truncated_jpegs_are_named(tmp_path, name, content, reason):
    rng = np.random.default_rng(0)
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for i in range(3):
            Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(tmp_path / f"{label}/{i}.jpg")
    whole = (tmp_path / "a/0.jpg").read_bytes()
    (tmp_path / "b" / name).write_bytes(content or (whole[: len(whole) // 2] if name == "cut.jpg" else whole[:20]))
    with pytest.raises(ValueError, match=rf"1 of 7 pictures can't be read: {tmp_path}/b/{name} \(.*{reason}"):
        load(tmp_path)
    with pytest.warns(UserWarning, match=f"left out 1 of 7 .*/b/{name}"):
        assert len(load(tmp_path, skip_bad=True).train_images) == 4
