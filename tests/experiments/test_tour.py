"""The tour, run from its first cell to its last: what it prints and draws is what the file keeps."""

import copy
import re

import pytest

nbformat = pytest.importorskip("nbformat", reason="needs nbclient and ipykernel")
pytest.importorskip("nbclient", reason="needs nbclient and ipykernel")
pytest.importorskip("ipykernel", reason="needs nbclient and ipykernel")

from experiments import tour  # noqa: E402

SHARE = re.compile(r"(\d+(?:\.\d+)?)%")


@pytest.fixture(scope="module")
def kept():
    return nbformat.read(tour.NOTEBOOK, as_version=4)


@pytest.fixture(scope="module")
def made(kept, tmp_path_factory):
    return tour.executed(copy.deepcopy(kept), tmp_path_factory.mktemp("tour"))


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shares(text):
    """Percentages: how well a network has learned depends on how a machine rounds."""
    return [float(share) for share in SHARE.findall(text)]


def test_it_prints_what_is_kept(kept, made):
    for before, after in zip(code(kept), code(made), strict=True):
        assert SHARE.sub("%", tour.text(after)) == SHARE.sub("%", tour.text(before))
        assert shares(tour.text(after)) == pytest.approx(shares(tour.text(before)), abs=8)


def test_it_draws_what_is_kept(kept, made):
    for before, after in zip(code(kept), code(made), strict=True):
        assert [output.output_type for output in after.outputs] == [output.output_type for output in before.outputs]
    assert sum("image/png" in output.get("data", {}) for cell in code(made) for output in cell.outputs) >= 8


def test_what_it_claims_is_so(made):
    said = "\n".join(tour.text(cell) for cell in code(made))
    assert said.count("True") >= 7 and "False" not in said
    assert "likely cause: equals the gradient for k flipped along all axes" in said
    (learned,) = shares(re.search(r".*test digits right", said)[0])
    assert learned > 96
    scratch, tuned, frozen = (
        shares(re.search(rf"^{way}.*", said, re.MULTILINE)[0])[0] for way in ("from scratch", "fine-tuned", "frozen")
    )
    assert tuned > scratch > 65 and tuned > frozen > 55


def test_the_file_is_small_and_has_nothing_of_the_machine(kept):
    nbformat.validate(kept)
    assert tour.NOTEBOOK.stat().st_size < 500_000
    assert [cell.execution_count for cell in code(kept)] == list(range(1, len(code(kept)) + 1))
    assert not any(cell.metadata for cell in kept.cells)
    assert len(code(kept)) == sum(cell.source.startswith("## ") for cell in kept.cells)
