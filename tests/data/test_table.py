"""Tables of pictures, as people and spreadsheets write them."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from jaxcnn.data import load

HEADER = "path,label,split"
CAFE = "caf\u00e9"


@pytest.fixture
def table(tmp_path):
    """Write pictures 0.png to 11.png, of the red of their number, and a table with these lines."""
    (tmp_path / "pictures").mkdir()
    for i in range(12):
        Image.new("RGB", (4, 4), (i, 0, 0)).save(tmp_path / f"pictures/{i}.png")

    def write(*lines, name="pets.csv", encoding="utf-8", end="\n"):
        path = tmp_path / name
        path.write_bytes(end.join([*lines, ""]).encode(encoding))
        return path

    return write


def split_rows(form="pictures/{},{},{}"):
    """Ten rows: 0 to 5 to train on, 6 and 7 for validation, 8 and 9 to test on; the even ones are ants."""
    parts = ["train"] * 6 + ["val"] * 2 + ["test"] * 2
    return [form.format(i, ("ant", "bee")[i % 2], part) for i, part in enumerate(parts)]


def reds(images):
    return images[:, 0, 0, 0].tolist()


def check_three_parts(data):
    assert data.classes == ("ant", "bee")
    assert [reds(images) for images, _ in data.parts.values()] == [[0, 1, 2, 3, 4, 5], [6, 7], [8, 9]]
    for images, labels in data.parts.values():
        assert labels.tolist() == [red % 2 for red in reds(images)]


def test_a_csv_with_splits(table):
    data = load(table(HEADER, *split_rows("pictures/{}.png,{},{}")))
    check_three_parts(data)
    assert (
        data.name == "pets"
        and data.layout == "a table with splits, pets.csv: train to train on, val to choose by, test to test on"
    )


@pytest.mark.parametrize(
    ("header", "form", "options"),
    [
        ("label,split,path", "{1},{2},pictures/{0}.png", {}),
        (" Path , LABEL ,Split", " pictures/{}.png , {} , {} ", {}),
        ("path;label;split", "pictures/{}.png;{};{}", {}),
        ("path\tlabel\tsplit", "pictures/{}.png\t{}\t{}", {"name": "pets.TSV"}),
        (HEADER, "pictures/{}.png,{},{}", {"end": "\r\n", "encoding": "utf-8-sig"}),
        ("id,path,author,label,split", '7,pictures/{}.png,"Ant, Adam ""A""",{},{}', {}),
        (HEADER, "pictures\\{}.png,{},{}", {}),
        (HEADER, "./pictures/../pictures/{}.png,{},{}\n\n , ,", {}),
        (None, '{{"path": "pictures/{}.png", "label": "{}", "split": "{}", "id": [1]}}\n', {"name": "pets.jsonl"}),
        (None, '{{"split": "{2}", "label": "{1}", "path": "pictures/{0}.png"}}', {"name": "a.NDJSON", "end": "\r\n"}),
    ],
)
def test_forms_that_say_the_same(table, header, form, options):
    check_three_parts(load(table(*([header] if header else []), *split_rows(form), **options)))


def test_absolute_paths_and_words_for_the_parts(table, tmp_path):
    words = {"train": "Training", "val": "validation", "test": "TESTING"}
    rows = [line.split(",") for line in split_rows("{}.png,{},{}")]
    data = load(table(HEADER, *[f"{tmp_path}/pictures/{name},{label},{words[split]}" for name, label, split in rows]))
    check_three_parts(data)


@pytest.mark.parametrize("word", ["val", "valid", "validation", "test"])
def test_without_a_test_part_validation_is_for_testing(table, word):
    lines = [line.replace(",val", f",{word}") for line in split_rows("pictures/{}.png,{},{}")[:8]]
    data = load(table(HEADER, *lines))
    assert reds(data.test_images) == [6, 7] and data.valid_images is None
    assert data.layout == f"a table with splits, pets.csv: train to train on, {word} to test on"


def test_without_splits_every_fifth_of_a_class_is_for_testing(table):
    data = load(table("path,label", *[f"pictures/{i}.png,{'ab'[i % 2]}" for i in range(10)]))
    # The row is 0, 2, 4, 6, 8, 1, 3, 5, 7, 9; its 1st and 6th are for testing.
    assert (reds(data.test_images), data.test_labels.tolist()) == ([0, 1], [0, 1])
    assert data.layout == "a table, pets.csv; every fifth picture of each class is for testing"


def test_without_splits_it_is_cut_as_asked(table):
    path = table("path,label", *[f"pictures/{i}.png,{'ab'[i % 2]}" for i in range(10)])
    data = load(path, split="0.6/0.2/0.2", seed=5)
    assert [np.bincount(labels).tolist() for _, labels in data.parts.values()] == [[3, 3], [1, 1], [1, 1]]
    with pytest.raises(
        ValueError, match=r"split is '0.5/0.5', but .*own.csv has parts of its own, train and val and te"
    ):
        load(table(HEADER, *split_rows("pictures/{}.png,{},{}"), name="own.csv"), split="0.5/0.5")


def test_labels_are_names(table):
    rows = [json.dumps({"path": f"pictures/{i}.png", "label": [7, 10, CAFE, "cafe\u0301"][i % 4]}) for i in range(12)]
    data = load(table(*rows, name="pets.jsonl"))
    assert data.classes == ("10", "7", CAFE)
    assert np.bincount(np.concatenate([data.train_labels, data.test_labels])).tolist() == [3, 3, 6]


@pytest.mark.parametrize(
    ("rows", "wrong"),
    [
        (["pictures/10.png,ant,tst"], ["line 12 (split 'tst'; expected train, val or test)"]),
        (["pictures/11.png,ant"], ["line 12 (2 entries; expected 3, path,label,split)"]),
        (["pictures/11.png,ant,test,x"], ["line 12 (4 entries; expected 3, path,label,split)"]),
        (["", "pictures/11.png, ,test"], ["line 13 (no label)"]),
        ([",,test", "pictures/11.png,ant,"], ["line 12 (no path; no label)", "line 13 (no split)"]),
        ([",ant,test", ",ant,test"], ["line 12 (no path)", "line 13 (no path)"]),
        (["pictures/3.png,bee,train"], ["line 12 (pictures/3.png again, as in line 5)"]),
        (["./pictures//3.png,ant,test"], ["line 12 (./pictures//3.png again, as in line 5, with another label)"]),
        (['pictures/11.png,"ant,test'], ["line 12 (unexpected end of data)"]),
        (['"pictures/10.png","two\nlines",train', "x,y"], ["line 14 (2 entries; expected 3, path,label,split)"]),
        (["pictures/1\0.png,ant,test"], ["line 12 (a character that no name can have)"]),
    ],
)
def test_bad_rows_are_named_by_their_lines(table, rows, wrong):
    path = table(HEADER, *split_rows("pictures/{}.png,{},{}"), *rows)
    with pytest.raises(ValueError, match=f"^load: {len(wrong)} of 1[123] rows of {path} are wrong: ") as caught:
        load(path)
    assert all(words in str(caught.value) for words in wrong)


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        ("pictures/0.png,ant", "no JSON: "),
        ("[" * 100_000, "no JSON: "),
        ('["pictures/0.png", "ant"]', "no JSON object, such as {...}"),
        ('{"path": "pictures/11.png", "split": "test"}', "no label"),
        ('{"path": null, "label": "ant", "split": "test"}', "no path"),
        ('{"path": "pictures/11.png", "label": true, "split": "test"}', "label is true; expected text"),
        ('{"path": 11, "label": "ant", "split": "test"}', "path is 11; expected text"),
        ('{"path": "pictures/11.png", "label": ["ant"], "split": "test"}', 'label is ["ant"]; expected text'),
        ('{"path": "pictures/11.png", "label": "ant"}', "no split, unlike the first"),
        ('{"path": "\\ud800.png", "label": "ant", "split": "test"}', "a character that no name can have"),
    ],
)
def test_bad_json_is_named_by_its_line(table, row, wrong):
    rows = split_rows('{{"path": "pictures/{}.png", "label": "{}", "split": "{}"}}')
    path = table(*rows, row, name="pets.jsonl")
    with pytest.raises(ValueError, match=f"^load: 1 of 11 rows of {path} are wrong: line 11 ") as caught:
        load(path)
    assert f"line 11 ({wrong}" in str(caught.value)


def test_missing_and_unreadable_files_are_named_by_their_lines(table, tmp_path):
    (tmp_path / "pictures/2.png").write_text("no picture")
    (tmp_path / "pictures/3.png").unlink()
    os.mkfifo(tmp_path / "pictures/3.png")  # to open it would be to wait
    path = table(HEADER, *split_rows("pictures/{}.png,{},{}"), "pictures/gone.png,ant,test", "pictures,ant,test")
    with pytest.raises(ValueError, match="4 of 12 pictures can't be read") as caught:
        load(path)
    for words in (
        "2.png (line 4: not a picture of any",
        "3.png (line 5: a folder, a pipe",
        "gone.png (line 12: there is no such file)",
        "(line 13: a f",
    ):
        assert words in str(caught.value)
    with pytest.warns(UserWarning, match="left out 4 of 12 pictures"):
        data = load(path, skip_bad=True)
    assert [reds(images) for images, _ in data.parts.values()] == [[0, 1, 4, 5], [6, 7], [8, 9]]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], r"pets.csv begins with ''; expected a first line with the names of its columns: path,label or"),
        (["pictures/0.png,ant"], r"begins with 'pictures/0.png,ant'; expected a first line"),
        (["file,label"], r"begins with 'file,label'; expected a first line"),
        (["path,label,path"], r"has two columns called 'path'; expected one"),
        (["path,label"], r"names no pictures; expected a line for each, with path and label"),
        (["path,label", "pictures/0.png,ant"], r"all pictures of .* have the label 'ant'; expected two classes"),
        (
            [HEADER, "pictures/0.png,ant,train", "pictures/1.png,bee,train"],
            r"the split of all pictures of .* is train; expected some to train on and some to test on",
        ),
        (
            [HEADER, "pictures/0.png,ant,val", "pictures/1.png,bee,test"],
            r"the split of all pictures of .* is val or test; expected some to train on",
        ),
        (
            [HEADER, "pictures/0.png,ant,train", "pictures/1.png,bee,test"],
            r"class 'bee' \(line 3 of .*pets.csv\) is not in the training part, whose classes are ant",
        ),
        (
            ["path,label", "pictures/0.png,ant", "pictures/1.png,bee", "pictures/2.png,bee"],
            r"class 'ant' has one picture, which is for testing as every fifth is",
        ),
    ],
)
def test_a_table_that_makes_no_dataset(table, lines, message):
    with pytest.raises(ValueError, match=message):
        load(table(*lines))


def test_a_table_in_another_encoding(table):
    path = table("path,label", f"pictures/0.png,{CAFE}", encoding="latin-1")
    with pytest.raises(ValueError, match=r"pets.csv is not UTF-8 text: byte 0xe9 in line 2. Save it as UTF-8"):
        load(path)


def test_a_missing_table(tmp_path):
    with pytest.raises(ValueError, match=r"there is no folder or table .*none\.csv"):
        load(tmp_path / "none.csv")
