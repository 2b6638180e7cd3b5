"""A table of pictures: a CSV file or JSON lines, with the columns `path`, `label` and perhaps `split`.

    path,label,split                     {"path": "pictures/1.jpg", "label": "cat", "split": "train"}
    pictures/1.jpg,cat,train             {"path": "pictures/2.jpg", "label": "dog", "split": "test"}

A relative path begins where the table lies; a backslash parts folders as / does. A label is the name of a class, and
classes are in sorted order; accented letters are the same however they are composed. A split is train (or training),
val (valid, validation) or test (testing); without a test part the validation part is for testing. Without the column
the pictures are cut into parts as those of a folder are (`split`).

A CSV file (.csv, .tsv) is UTF-8 with a first line that names its columns, in any order, parted by commas, semicolons or
tabs; space around an entry does not count. In JSON lines (.jsonl, .ndjson) each line is an object. Other columns and
empty lines are ignored.
"""

import csv
import io
import json
import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from jaxcnn.data.files import Listing, Picture, cut, some
from jaxcnn.data.folder import TEST, TRAIN, VALID
from jaxcnn.data.split import PARTS, refuse, uses

CSV, JSON_LINES = (".csv", ".tsv"), (".jsonl", ".ndjson")
COLUMNS = ("path", "label", "split")
WORDS = {word: part for part, words in zip(PARTS, (TRAIN, VALID, TEST), strict=True) for word in words}


class Row(NamedTuple):
    """A line of the table: its entries by column, or what is wrong with it."""

    line: int
    entries: dict[str, str]
    wrong: str = ""


def find(path: Path, *, split: str | None = None, seed: int = 0) -> Listing:
    """The pictures that a table names; that they are there is seen when they are read.

    Raises ValueError for a file that is no such table, and for lines that can't be understood, contradict each other or
    repeat a picture, all by their numbers; for a table without two classes, for a test or validation class that is not
    trained on, and for a split for a table that has its own.
    """
    rows = list(_csv(path) if path.suffix.lower() in CSV else _json_lines(path))
    if not rows:
        raise ValueError(f"load: {path} names no pictures; expected a line for each, with {' and '.join(COLUMNS[:2])}.")
    wrong = list(_wrong(path, rows))
    if wrong:
        raise ValueError(f"load: {len(wrong)} of {len(rows)} rows of {path} are wrong: {some(wrong)}.")
    classes = tuple(sorted({row.entries["label"] for row in rows}))
    if len(classes) < 2:
        raise ValueError(f"load: all pictures of {path} have the label {classes[0]!r}; expected two classes or more.")
    labels = {name: label for label, name in enumerate(classes)}
    pictures = [
        Picture(path.parent / row.entries["path"], labels[row.entries["label"]], f"line {row.line}") for row in rows
    ]
    if "split" not in rows[0].entries:
        return cut(path.stem, classes, pictures, f"a table, {path.name}", split, seed)

    splits = [WORDS[row.entries["split"].casefold()] for row in rows]
    parts = {part: [p for p, s in zip(pictures, splits, strict=True) if s == part] for part in PARTS}
    parts = {part: of_part for part, of_part in parts.items() if of_part}
    words = dict(zip(splits, (row.entries["split"] for row in rows), strict=True))  # as they are written here
    refuse(split, str(path), [words[part] for part in parts])
    if "train" not in parts or len(parts) < 2:
        raise ValueError(
            f"load: the split of all pictures of {path} is {' or '.join(words.values())}; expected some to train on "
            "and some to test on. Leave the column out to have the pictures cut into parts."
        )
    if "test" not in parts:
        parts = {"train": parts["train"], "test": parts["valid"]}
        words = {"train": words["train"], "test": words["valid"]}
    trained_on = {picture.label for picture in parts["train"]}
    for picture in (p for of_part in parts.values() for p in of_part):
        if picture.label not in trained_on:
            raise ValueError(
                f"load: class {classes[picture.label]!r} ({picture.where} of {path}) is not in the training part, "
                f"whose classes are {some([classes[label] for label in sorted(trained_on)])}."
            )
    return Listing(path.stem, classes, parts, f"a table with splits, {path.name}: {uses(words)}")


def _wrong(path: Path, rows: list[Row]) -> Iterator[str]:
    """What is wrong with the rows, each by its line."""
    seen: dict[str, Row] = {}
    for row in rows:
        if row.wrong:
            yield f"line {row.line} ({row.wrong})"
            continue
        reasons = [f"no {column}" for column in COLUMNS if row.entries.get(column) == ""]
        if "\0" in row.entries["path"] or not all(map(_is_unicode, row.entries.values())):
            reasons.append("a character that no name can have")
        word = row.entries.get("split")
        if word and word.casefold() not in WORDS:
            reasons.append(f"split {word!r}; expected train, val or test")
        # By what the table says: links are not followed.
        first = seen.setdefault(os.path.normpath(path.parent / row.entries["path"]), row)
        if first is not row and row.entries["path"]:
            other = first.entries["label"] != row.entries["label"]
            reasons.append(f"{row.entries['path']} again, as in line {first.line}{', with another label' * other}")
        if reasons:
            yield f"line {row.line} ({'; '.join(reasons)})"


def _csv(path: Path) -> Iterator[Row]:
    text = _text(path)
    first = next((line for line in text.splitlines() if line.strip()), "")
    for delimiter in ",;\t":
        names = [name.strip().casefold() for name in next(csv.reader([first], delimiter=delimiter), [])]
        if {"path", "label"} <= set(names):
            break
    else:
        raise ValueError(
            f"load: {path} begins with {first!r}; expected a first line with the names of its columns: path,label or "
            "path,label,split, in any order."
        )
    if twice := [name for name in COLUMNS if names.count(name) > 1]:
        raise ValueError(f"load: {path} has two columns called {twice[0]!r}; expected one.")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line, header = 1, True
    try:
        for cells in reader:
            if any(map(str.strip, cells)):
                if not header:
                    yield _row(line, names, cells)
                header = False
            line = reader.line_num + 1
    except csv.Error as error:  # a quote that is not closed, ...
        yield Row(line, {}, str(error))


def _row(line: int, names: list[str], cells: list[str]) -> Row:
    if len(cells) != len(names):
        return Row(line, {}, f"{len(cells)} entries; expected {len(names)}, {','.join(names)}")
    return Row(line, _entries({name: cell for name, cell in zip(names, cells, strict=True) if name in COLUMNS}))


def _json_lines(path: Path) -> Iterator[Row]:
    has_split = None
    for line, text in enumerate(_text(path).split("\n"), 1):
        if not text.strip():
            continue
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            yield Row(line, {}, f"no JSON: {error}")
            continue
        if not isinstance(value, dict):
            yield Row(line, {}, "no JSON object, such as {...}")
            continue
        entries = {column: value[column] for column in COLUMNS if value.get(column) is not None}
        kinds = {column: (str, int) if column == "label" else (str,) for column in entries}
        odd = [c for c, entry in entries.items() if not isinstance(entry, kinds[c]) or isinstance(entry, bool)]
        missing = [column for column in COLUMNS[:2] if column not in entries]
        has_split = "split" in entries if has_split is None else has_split
        if odd:
            yield Row(line, {}, f"{odd[0]} is {json.dumps(entries[odd[0]])}; expected text")
        elif missing:
            yield Row(line, {}, f"no {missing[0]}")
        elif has_split != ("split" in entries):
            yield Row(line, {}, f"{'no' if has_split else 'a'} split, unlike the first")
        else:
            yield Row(line, _entries({column: str(entry) for column, entry in entries.items()}))


def _entries(entries: dict[str, str]) -> dict[str, str]:
    """Without the space around them; a label's letters composed, a path's as they are in the file's name."""
    stripped = {column: entry.strip() for column, entry in entries.items()}
    label, path = unicodedata.normalize("NFC", stripped["label"]), stripped["path"].replace("\\", "/")
    return stripped | {"label": label, "path": path}


def _is_unicode(text: str) -> bool:
    """Not so of half a surrogate pair, which JSON can say."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _text(path: Path) -> str:
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"load: {path} is not UTF-8 text: byte {content[error.start]:#x} in line {line}. Save it as UTF-8."
        ) from None
