"""The comparison of verifiers, for a few faults."""

import numpy as np
import pytest

from experiments import verifiers_compared
from jaxcnn.verify.catalog.faults import of_rule


@pytest.fixture(scope="module")
def found():
    return verifiers_compared.compare(["relu"], limit=3, seed=0)


def test_every_fault_planted_is_found_by_ours_and_some_by_check_grads(found):
    (of,) = found.values()
    assert [f.name for f in of["planted"]] == ["one-at-zero", "half-at-zero", "mask-ignored"]
    assert of["jaxcnn.verify"] == of["planted"]
    assert of["check_grads float64"] == of["planted"][2:], "values without an exact zero do not show relu'(0)"


def test_the_table_counts_them(found):
    from rich.console import Console

    console = Console(width=120)
    with console.capture() as text:
        console.print(verifiers_compared.table(found))
    last = text.get().splitlines()[-2]
    cells = [cell.strip() for cell in last.strip("│").split("│")]
    assert cells[0] == "all"
    assert cells[1] == "3"
    assert cells[-1] == "3"


@pytest.mark.parametrize("rule", sorted(verifiers_compared.TYPICAL))
def test_a_typical_configuration_is_one_that_shows_faults(rule, x64):
    """Its door takes it, and a wrong sign, which shows everywhere, shows there."""
    setting = verifiers_compared.Setting(rule, seed=0)
    assert setting.arrays[0].dtype == np.float64
    (sign,) = (f for f in of_rule(rule) if f.name == "sign")
    assert setting.shows(sign)


def test_an_unknown_rule_is_refused():
    with pytest.raises(SystemExit, match="--rules names convolution; expected some of adaptive_avg_pool"):
        verifiers_compared.main(["convolution"], limit=1, seed=0)
