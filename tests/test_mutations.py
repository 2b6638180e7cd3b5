"""The table of mutations fits the source as it is; `mutations.py` runs it."""

import shlex

import pytest

from tests.mutants import MUTATIONS
from tests.mutations import ROOT, made, place


def test_there_are_sixty_and_each_has_a_name_of_its_own():
    assert len(MUTATIONS) == 60
    assert len({m.name for m in MUTATIONS}) == 60


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.name)
def test_it_can_be_made_in_one_place_and_its_tests_are_there(mutation):
    text = place(mutation).read_text()
    mutated = text.replace(mutation.old, mutation.new)
    assert mutated != text
    compile(mutated, mutation.name, "exec")
    files = [word for word in shlex.split(mutation.tests) if word.startswith("tests/")]
    assert files and all((ROOT / file).exists() for file in files)


def test_all_are_made_and_taken_back(tmp_path):
    files = {place(mutation) for mutation in MUTATIONS}
    before = {file.relative_to(ROOT): file.read_text() for file in files}
    for path, text in before.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    with made(MUTATIONS, tmp_path):
        assert all((tmp_path / path).read_text() != text for path, text in before.items())
    assert all((tmp_path / path).read_text() == text for path, text in before.items())
