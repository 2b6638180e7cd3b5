"""`jaxcnn predict`: what it says is what the model says, in every form; what can't be read does not stop the rest."""

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from jaxcnn import data, load_model
from jaxcnn.cli.predict import WIDEST, Method
from jaxcnn.report import explained
from jaxcnn.train.predict import predict
from tests.train.test_model import made, pixels
from tests.train.tiny import config


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained.run.path, tmp_path / "run")


@pytest.fixture
def photos(tmp_path):
    """Pictures of many sizes and modes."""
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    colour = Image.fromarray(pixels(1, 20, 30, 3))
    colour.save(folder / "2.jpg")
    Image.fromarray(pixels(2, 8, 8)).save(folder / "10.png")
    colour.convert("RGBA").rotate(30).save(folder / "more/1.png")
    colour.quantize().save(folder / "more/2.gif")
    Image.fromarray(pixels(3, 9, 40).astype(np.uint16) * 256).save(folder / "more/10.tif")
    return folder


def order(folder):
    return [folder / name for name in ("2.jpg", "10.png", "more/1.png", "more/2.gif", "more/10.tif")]


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def said(out):
    """What is in lines of JSON: {picture: [(class, probability), ...]}."""
    lines = [json.loads(line) for line in out.splitlines()]
    for line in lines:
        line["picture"].encode()  # no lone surrogates
        if "picture_bytes" in line:
            path = bytes.fromhex(line["picture_bytes"])
            assert line["picture"] == path.decode("utf-8", "backslashreplace")
            line["picture"] = os.fsdecode(path)
    return {line["picture"]: [tuple(found.values()) for found in line["predictions"]] for line in lines}


def test_a_folder_in_the_order_of_its_numbers_with_the_models_probabilities(jaxcnn, run, photos):
    (photos / "notes.txt").write_text("no picture")
    (photos / ".3.png").write_bytes((photos / "10.png").read_bytes())
    (photos / "more/loop").symlink_to(photos)
    code, out, err = jaxcnn("predict", run, photos, "--json", "--top", 3)
    assert (code, err) == (
        0,
        f"warning: left out 1 file, {photos}/notes.txt, for want of a picture's ending, such as .jpg; what is named "
        "itself is tried whatever its ending.\n",
    )
    found, model = said(out), load_model(run, "last")
    assert list(found) == list(map(str, order(photos)))
    p = softmax(np.asarray(model.logits(model.preprocess(order(photos))), np.float64))
    for predictions, of in zip(found.values(), p, strict=True):
        best = np.argsort(-of)[:3]
        assert [name for name, _ in predictions] == [model.classes[i] for i in best]
        np.testing.assert_allclose([probability for _, probability in predictions], of[best], rtol=1e-4)


def test_the_three_forms_say_the_same(jaxcnn, run, photos):
    _, lines, _ = jaxcnn("predict", run, photos, "--json")
    expected = [(picture, *each) for picture, found in said(lines).items() for each in found]
    _, out, _ = jaxcnn("predict", run, photos, "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["rank"] for row in rows] == ["1", "2", "3", "4", "5"] * 5
    assert [(row["picture"], row["class"], float(row["probability"])) for row in rows] == expected
    _, out, _ = jaxcnn("predict", run, photos)
    heading, *rows = [line.split(maxsplit=2) for line in out.splitlines()]
    assert heading == ["class", "probability", "picture"]
    assert [row[2] for row in rows if len(row) == 3] == list(map(str, order(photos)))
    assert [tuple(row[:2]) for row in rows] == [(name, f"{p:.4f}") for _, name, p in expected]


def test_there_are_no_more_classes_than_the_network_has(jaxcnn, run, photos):
    assert len(said(jaxcnn("predict", run, photos / "2.jpg", "--json", "--top", 99)[1])[f"{photos}/2.jpg"]) == 10
    assert jaxcnn("predict", run, photos / "2.jpg", "--top", 1)[1].count("\n") == 2


NAMES = ["[bold]a[red].png", "two\nlines\t.png", "\x1b[31mred.png", "größe 猫.png", 'a "b", c.png', "a  b.png"]


def test_names_are_shown_as_they_are_and_control_nothing(jaxcnn, run, photos):
    for name in NAMES:
        shutil.copy(photos / "10.png", photos / name)
    paths = [f"{photos}/{name}" for name in NAMES]
    assert list(said(jaxcnn("predict", run, *paths, "--json")[1])) == paths
    _, out, _ = jaxcnn("predict", run, *paths, "--csv", "--top", 1)
    assert [row["picture"] for row in csv.DictReader(io.StringIO(out))] == paths
    _, out, _ = jaxcnn("predict", run, *paths, "--top", 1)
    shown = [path.replace("\n", "\\n").replace("\t", "\\t").replace("\x1b", "\\x1b") for path in paths]
    assert [line.split(maxsplit=2)[2] for line in out.splitlines()[1:]] == shown


def test_a_path_is_shown_as_it_was_given(jaxcnn, run, photos, monkeypatch):
    monkeypatch.chdir(photos)
    shutil.copy("10.png", "~tilde.png")
    paths = ["./10.png", "more//1.png", "~tilde.png"]
    assert list(said(jaxcnn("predict", run, *paths, "--json")[1])) == paths


def test_columns_are_straight_whatever_the_classes_are_called(jaxcnn, tmp_path, photos):
    classes = ("猫" * 10, "[red]dog")
    out = jaxcnn("predict", made(tmp_path / "m", classes=classes), photos / "2.jpg")[1]
    lines = out.splitlines()
    assert {line.split()[0] for line in lines[1:]} == set(classes)
    wide = next(line for line in lines if "猫" in line)
    assert lines[0].index("probability") == wide.index("0.") - 5 + 10  # a 猫 takes two columns
    long = made(tmp_path / "long", classes=("x" * (WIDEST + 9), "y"))
    assert f"{'x' * (WIDEST + 9)}  " in jaxcnn("predict", long, photos / "2.jpg")[1]


def test_what_can_not_be_read_is_named_and_the_rest_goes_on(jaxcnn, run, photos):
    (photos / "3.png").write_text("no picture")
    (photos / "4.png").touch()
    (photos / "5.png").symlink_to(photos / "none.png")
    cut = photos / "more/3.jpg"
    cut.write_bytes((photos / "2.jpg").read_bytes()[:300])
    os.mkfifo(photos / "6.png")
    (photos / "empty").mkdir()
    missing = photos / "none\n.png"
    code, out, err = jaxcnn("predict", run, photos, missing, photos / "empty", photos / "2.jpg", "--csv", "--top", 1)
    assert code == 1 and out.count("\n") == 1 + 5 + 1
    errors = err.splitlines()
    for name, reason in (
        ("3.png", "not a picture of any kind that Pillow reads"),
        ("4.png", "the file is empty"),
        ("5.png", "a broken link"),
        ("6.png", "a folder, a pipe or a device"),
        ("more/3.jpg", None),
        ("none\\n.png", "there is no such file"),
        ("empty", "there are no pictures in it, by the endings of its files"),
    ):
        (line,) = [line for line in errors if line.startswith(f"error: {photos}/{name} can't be read: ")]
        assert reason is None or line.endswith(f": {reason}.")
    assert len(errors) == 7
    code, out, err = jaxcnn("predict", run, photos / "3.png")
    assert (code, out.count("\n"), err.count("\n")) == (1, 1, 1)


def test_a_list_on_standard_input(jaxcnn, run, photos, monkeypatch):
    strange = os.fsencode(photos) + b"/\xff.png"
    with open(strange, "wb") as file:
        file.write((photos / "10.png").read_bytes())
    listed = b"\n".join([os.fsencode(photos / "2.jpg") + b"\r", b"", strange, os.fsencode(photos / "more")])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(listed)))
    code, out, err = jaxcnn("predict", run, photos / "10.png", "-", "--json")
    expected = [photos / "10.png", photos / "2.jpg", os.fsdecode(strange), *order(photos)[2:]]
    assert (code, err, list(said(out))) == (0, "", list(map(str, expected)))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(strange)))
    monkeypatch.setattr(sys, "stdout", stdout := io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    jaxcnn("predict", run, "-", "--csv", "--top", 1)
    assert stdout.buffer.getvalue().splitlines()[1].startswith(strange + b",1,")  # the very bytes


def test_a_list_of_nothing_is_told_as_an_empty_folder_is(jaxcnn, run, monkeypatch, tmp_path):
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\n")))
    for name, reason in (
        ("-", "there are no paths on standard input"),
        (tmp_path / "empty", "there are no pictures in it, by the endings of its files"),
    ):
        said = f"error: {name} can't be read: {reason}.\n"
        assert jaxcnn("predict", run, name, "--json") == (1, "", said)
        assert jaxcnn("predict", run, name, "--csv") == (1, "picture,rank,class,probability\n", said)


def test_a_picture_without_an_ending_is_left_out_of_a_folder_and_taken_by_its_name(jaxcnn, run, photos):
    shutil.copy(photos / "2.jpg", photos / "more/noext")
    (photos / "notes.txt").write_text("no picture")
    code, out, err = jaxcnn("predict", run, photos, "--json")
    assert (code, list(said(out))) == (0, list(map(str, order(photos))))
    assert err.startswith(f"warning: left out 2 files, such as {photos}/more/noext, for want of a picture's ending")
    code, out, err = jaxcnn("predict", run, photos / "more/noext", "--json")
    assert (code, list(said(out)), err) == (0, [f"{photos}/more/noext"], "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a.png", "--top", "0"), "--top is 0; expected 1 or more."),
        (("a.png", "--json", "--csv"), "--json and --csv are both given; take one of them."),
        ((), "no pictures are given; name files or folders, or - for a list on standard input."),
        (("a.png", "--out", "maps"), "--layer and --out are for --explain, which is not given."),
    ],
)
def test_bad_input_is_one_line(jaxcnn, run, arguments, message):
    assert jaxcnn("predict", run, *arguments) == (2, "", f"error: {message}\n")


def test_without_a_model_there_is_no_prediction(jaxcnn, tmp_path):
    code, out, err = jaxcnn("predict", tmp_path, "a.png")
    assert (code, out) == (2, "") and err.startswith(f"error: {tmp_path} is not a run folder: it holds no model.")


def test_the_model_alone_is_enough_and_treats_pictures_as_evaluation_does(jaxcnn, tmp_path):
    """Of the pictures that a run was tested on it says what the run's evaluation said of them, when the run is gone."""
    from jaxcnn.train.loop import train

    for i in range(20):
        picture = Image.fromarray(pixels(i, 12 + i % 5, 16, 3))
        picture = [picture, picture.convert("L"), picture.convert("RGBA"), picture.quantize(), picture][i % 5]
        exif = Image.Exif()
        exif[0x0112] = 1 + i % 8
        (tmp_path / f"pets/{i % 2}").mkdir(parents=True, exist_ok=True)
        picture.save(tmp_path / f"pets/{i % 2}/{i:02}.png", exif=exif)
    (tmp_path / "pets/0/00.png").unlink()
    Image.fromarray(pixels(0, 8, 8, 3)).save(tmp_path / "pets/0/00.png")  # as large as the network takes
    options = {"data": str(tmp_path / "pets"), "image_size": 8, "crop": 0.8, "resample": "bicubic", "batch_size": 8}
    result = train(config(tmp_path / "run", epochs=1, **options))
    files = [tmp_path / f"pets/{name}.png" for name in ("0/00", "0/10", "1/01", "1/11")]  # every fifth
    alone = shutil.copytree(tmp_path / "run/model/last", tmp_path / "alone")
    pictures = [shutil.copy(file, tmp_path / f"{i}.png") for i, file in enumerate(files)]
    for gone in ("pets", "run"):
        shutil.rmtree(tmp_path / gone)
    code, out, err = jaxcnn("predict", alone, *pictures, "--json")
    assert (code, err) == (0, "")
    for found, p in zip(said(out).values(), result.evaluation.probabilities, strict=True):
        np.testing.assert_allclose([dict(found)[name] for name in ("0", "1")], p, rtol=1e-4)


def test_the_checkpoint_is_chosen(jaxcnn, run, photos):
    shutil.rmtree(run / "model/last")
    code, _, err = jaxcnn("predict", run, photos)
    assert code == 2 and "--checkpoint best" in err
    assert jaxcnn("predict", run, photos, "--checkpoint", "best")[0] == 0


def test_tta_is_the_mean_with_the_mirror_image(jaxcnn, run, photos):
    for file in ("2.jpg", "10.png"):
        model = load_model(run, "last")
        seen = model.pixels(photos / file)
        p = softmax(np.asarray(model.logits(model.preprocess(np.stack([seen, seen[:, ::-1]]))), np.float64)).mean(0)
        found = said(jaxcnn("predict", run, photos / file, "--json", "--tta", "--top", 10)[1])[f"{photos}/{file}"]
        np.testing.assert_allclose([dict(found)[name] for name in model.classes], p, rtol=1e-4)


def test_memory_does_not_grow_with_the_pictures(run, photos):
    """Of an endless stream of files a few are asked for ahead, and batches are of one size."""
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield photos / ("none.png" if taken % 7 == 3 else "10.png")

    unreadable = []
    model, done, shapes = load_model(run), 0, set()
    found = predict(model, endless(), unreadable=lambda path, reason: unreadable.append(path), batch_size=8)
    for _ in range(10):
        batch = next(found)
        done += len(batch.files)
        shapes.add(batch.images.shape)
        assert taken - done - len(unreadable) <= 8 + 16 + 1  # one batch computing, two being decoded
    found.close()
    assert shapes == {(8, 8, 8, 1)} and len(unreadable) > 9
    last = list(predict(model, [photos / "10.png"] * 11, unreadable=print, batch_size=8))[-1]
    assert len(last.files) == len(last.probabilities) == 3 and last.images.shape == (8, 8, 8, 1)
    assert (last.images == last.images[0]).all()
    alone = next(predict(model, [photos / "10.png"], unreadable=print))
    np.testing.assert_allclose(last.probabilities[2], alone.probabilities[0], rtol=1e-5)


def test_a_heat_map_is_laid_over_each_picture(jaxcnn, run, photos, tmp_path):
    """The one of the method, for what the model says that the picture is; the last batch is not full."""
    maps, model = tmp_path / "new/maps", load_model(run, "last")
    (photos / "3.png").write_text("no picture")
    several = [photos / "2.jpg", photos / "10.png"] * 5
    code, out, err = jaxcnn(
        "predict", run, *several, photos / "3.png", "--explain", "saliency", "--out", maps, "--json"
    )
    assert code == 1 and err.splitlines()[1:] == [f"10 overlays in {maps}"] and len(out.splitlines()) == 10
    names = [f"{i:04}-{'2' if i % 2 else '10'}.png" for i in range(1, 11)]
    assert sorted(path.name for path in maps.iterdir()) == [*names, "grid.png"]
    seen = np.stack([model.pixels(file) for file in several])
    heats = explained.heat_maps(model, seen, "saliency", classes=np.argmax(model.probabilities(seen), -1).tolist())
    for name, picture, heat in zip(names, seen, heats, strict=True):
        explained.write_overlay(tmp_path / "one.png", picture, heat)
        drawn, expected = (np.asarray(Image.open(file), int) for file in (maps / name, tmp_path / "one.png"))
        np.testing.assert_allclose(drawn, expected, atol=2)


def test_the_folder_holds_the_overlays_of_the_last_command_alone(jaxcnn, run, photos, tmp_path):
    maps = tmp_path / "maps"
    command = ("predict", run, "--explain", "saliency", "--json", "--out", maps)
    code, _, err = jaxcnn(*command, *[photos / "2.jpg"] * 21)
    assert (code, err) == (0, f"21 overlays in {maps}; grid.png shows the first 20\n")
    assert len(list(maps.iterdir())) == 22
    (maps / "notes.txt").write_text("mine")
    code, _, err = jaxcnn(*command, photos / "10.png")
    assert (code, err) == (0, f"1 overlays in {maps}\n")
    assert sorted(path.name for path in maps.iterdir()) == ["0001-10.png", "notes.txt"]
    for mine in ("0007-mine.png", "grid.png"):
        shutil.copy(photos / "10.png", maps / mine)
        code, out, err = jaxcnn(*command, photos / "10.png")
        assert (code, out) == (2, "") and err == (
            f"error: --out is {maps}, where {mine} is not of jaxcnn predict --explain; give another folder.\n"
        )
        assert (maps / "0001-10.png").exists()
        (maps / mine).unlink()


def test_what_has_no_heat_map_is_told(jaxcnn, run, photos, tmp_path):
    """Before anything is printed or written."""
    options = ("predict", run, photos / "2.jpg", "--out", photos / "maps", "--explain")
    code, out, err = jaxcnn(*options, "saliency", "--layer", "conv")
    assert (code, out, err) == (2, "", "error: --layer is 'conv', and saliency has none; gradcam and gradcam++ have.\n")
    for method in ("gradcam", "gradcam++"):
        code, out, err = jaxcnn(*options, method, "--layer", "con")
        assert (code, out) == (2, "") and err.startswith("error: --layer is 'con', which is no layer of the network.")
    assert not (photos / "maps").exists()
    for below in ("", "/maps"):
        place = f"{photos}/10.png{below}"
        code, out, err = jaxcnn("predict", run, photos / "2.jpg", "--explain", "saliency", "--out", place)
        reason = "which can't be written (Not a directory)" if below else "which is there and no folder"
        give = "give another folder" if below else "give another one"
        assert (code, out, err) == (2, "", f"error: --out is {place}, {reason}; {give}.\n")
    assert get_args(Method) == tuple(explained.METHODS)


def test_what_is_not_finite_is_no_probability(jaxcnn, tmp_path, photos):
    code, out, err = jaxcnn("predict", made(tmp_path / "m", temperature=1e-320), photos / "2.jpg", "--json")
    said = f"error: what the network makes of {photos}/2.jpg is not finite, so that there are no probabilities of it.\n"
    assert (code, out, err) == (2, "", said)


def test_how_far_it_is_stands_on_stderr(jaxcnn, run, photos, monkeypatch):
    """Not a terminal: a line a minute, here after each batch."""
    monkeypatch.setattr("jaxcnn.cli.counter.EVERY", 0)
    (photos / "3.png").write_text("no picture")
    code, out, err = jaxcnn("predict", run, photos, "--json")
    first, bad, last = err.splitlines()
    assert (code, len(said(out))) == (1, 5) and "3.png can't be read" in first
    assert re.fullmatch(r"1 of 6 pictures, [\d.,]+ a second, 0:00:0\d left", bad)
    assert re.fullmatch(r"6 of 6 pictures, [\d.,]+ a second, 0:00:00 left", last)


def test_standard_input_that_is_closed(jaxcnn, run, monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    assert jaxcnn("predict", run, "-") == (2, "", "error: - is for a list on standard input, which is closed.\n")


def test_data_is_never_asked_for(jaxcnn, run, photos, monkeypatch):
    monkeypatch.setattr(data, "load", None)
    assert jaxcnn("predict", run, photos)[0] == 0


def test_a_reader_that_has_enough_ends_it(run, photos):
    """Though there are pictures without end."""
    command = f"{sys.executable} -m tests.train.tiny predict {run} - --json"
    out = subprocess.run(
        ["bash", "-c", f"yes {photos}/10.png | {command} | head -n 1; echo ${{PIPESTATUS[1]}}"],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    line, code = out.stdout.splitlines()
    assert json.loads(line)["picture"] == f"{photos}/10.png" and (code, out.stderr) == ("141", "")
