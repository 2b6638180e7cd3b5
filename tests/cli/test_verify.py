"""`jaxcnn verify` as it is typed: rows, verdicts, exit codes, what it writes, and its errors."""

import json
import re
import sys

import pytest

from jaxcnn.ops import RULES
from jaxcnn.verify import pool

MINE = """
import jax
from jaxcnn.ops.rule import rule

@jax.custom_vjp
def dense(x, kernel):
    return x @ kernel

def plain(x, kernel):
    return x @ kernel

dense.defvjp(lambda x, k: (x @ k, (x, k)), lambda kept, dy: (dy @ kept[1].T, kept[0].T @ dy / len(dy)))

swish = jax.custom_vjp(plain)  # under another name than the function that it is made of
swish.defvjp(lambda x, k: (x @ k, (x, k)), lambda kept, dy: _helper(kept, dy))

def _helper(kept, dy):
    return kept[0].missing

def _plain(x, *, power): return x**power
def _forward(x, *, power): return x**power, x
def _backward(x, dy, *, power): return (power * x ** (power - 1) * dy,)

@rule(_plain, _forward, _backward)
def powered(x, *, power=2):
    return powered.apply(x, power=power)
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A user's own file, in the working directory."""
    (tmp_path / "mine.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    yield "mine.py:{}".format
    RULES.pop("powered", None)
    sys.modules.pop("mine", None)


def test_a_row_for_each_rule_and_the_verdict(jaxcnn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = jaxcnn("verify", "--rule", "tanh", "relu", "--cases", 2, "--json", "out.json")
    head, *rows, _, verdict, written = out.splitlines()
    assert code == 0
    assert head.split() == ["rule", "cases", "checks", "worst", "error", "seconds", "result"]
    assert [(row.split()[0], row.split()[1], row.split()[-1]) for row in rows] == [
        ("relu", "2", "ok"),
        ("tanh", "2", "ok"),
    ]
    assert re.fullmatch(r"2 of 2 verified in \d+ s; an error of 1 is the most that rounding allows", verdict)
    assert written == "report out.json"
    assert [p.name for p in tmp_path.iterdir()] == ["out.json"], "nothing else is left behind"
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["ok"] is True and report["cases"] == 2 and report["seed"] == 0
    assert [r["name"] for r in report["rules"]] == ["relu", "tanh"]


def test_a_broken_rule_fails_with_its_report(jaxcnn, monkeypatch):
    monkeypatch.setattr(RULES["relu"], "backward", lambda y, dy: (dy,))
    code, out, _ = jaxcnn("verify", "--rule", "relu")
    assert code == 1
    assert re.search(r"^relu .* FAILS$", out, re.M)
    assert "[autodiff] dx:" in out and "0 of 1 verified" in out


def test_faults_are_counted_and_survivors_fail(jaxcnn, monkeypatch, tmp_path):
    code, out, _ = jaxcnn("verify", "--rule", "relu", "--faults", "--cases", 2, "--json", tmp_path / "out.json")
    (row,) = re.findall(r"^relu .* ok +(\d+) of (\d+)$", out, re.M)
    assert code == 0 and row[0] == row[1]
    assert f"{row[0]} of {row[0]} planted faults found" in out
    faults = json.loads((tmp_path / "out.json").read_text())["rules"][0]["faults"]
    assert faults["ok"] and len(faults["killed"]) == int(row[0]) and faults["survivors"] == []

    def one_lives(search):
        return pool.Kills(search.rule.name, ("zero",), ("sign",), {"same": "they are the same"}, ("other",), 0.0)

    monkeypatch.setattr(pool, "kills", one_lives)
    code, out, _ = jaxcnn("verify", "--rule", "relu", "--faults", "--cases", 1)
    assert code == 1
    assert "SURVIVES    relu: sign\n" in out
    assert "equivalent  relu: same (they are the same)\n" in out
    assert "NOT EQUIVALENT  relu: other is listed as such, but was found\n" in out
    assert "1 of 2 planted faults found" in out


def test_a_function_of_ones_own_is_named_with_argument_and_cause(jaxcnn, mine):
    shapes = ["--shapes", "4,5", "5,3"]
    code, out, _ = jaxcnn("verify", mine("dense"), *shapes, "--reference", mine("plain"))
    assert code == 1
    assert re.search(r"\[autodiff\] dkernel: 15 of 15 entries wrong", out)
    assert "likely cause: is divided by 4, the batch size" in out
    code, out, _ = jaxcnn("verify", "mine:plain", *shapes)
    assert code == 0 and "1 of 1 verified" in out
    assert "plain: without --reference, what happens at ties and kinks was not checked" in out


def test_the_report_has_the_name_that_was_typed_and_an_exception_its_line(jaxcnn, mine):
    code, out, _ = jaxcnn("verify", mine("swish"), "--shapes", "4,5", "5,3", "--reference", mine("plain"))
    line = MINE.splitlines().index("    return kept[0].missing") + 1
    assert code == 1
    assert re.search(r"^swish +1 .* FAILS$", out, re.M) and "\nswish FAILS with 1 failure(s)" in out
    assert f"raised AttributeError: DynamicJaxprTracer has no attribute missing (mine.py:{line}, in _helper)" in out


def test_a_rule_of_ones_own_is_verified_on_its_shapes(jaxcnn, mine):
    code, out, _ = jaxcnn("verify", mine("powered"), "--shapes", "2,3", "--options", '{"power": 3}')
    assert code == 0, out
    assert re.search(r"^powered +1 ", out, re.M)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rule", "rleu"], "--rule rleu: unknown; expected some of .*relu6"),
        (["--cases", "0"], "--cases is 0; expected 1 or more"),
        (["--json", "no/such/out.json"], "--json is no/such/out.json, but the folder .*no/such does not exist"),
        (["--shapes", "2,3"], "--shapes, --options and --reference need a MODULE:NAME"),
        (["mine.py:dense", "--rule", "relu"], "--rule and --faults are for jaxcnn's own rules"),
        (["mine.py:dense"], "give their shapes, such as --shapes 2,5,5,3 3,3,3,4"),
        (["mine.py:powered"], "or enter a strategy for it by jaxcnn.verify.catalog.spaces.space"),
        (["mine.py:dense", "--shapes", "2,x"], "--shapes has '2,x'; expected sizes such as 2,5,5,3, or none"),
        (["mine.py:dense", "--shapes", "2", "--options", "stride"], "--options is 'stride', which is no JSON"),
        pytest.param(
            ["mine.py:dense", "--shapes", "2", "--options", "[" * 100_000], "it is nested too deeply", id="deep"
        ),
        (["mine.py:dense", "--shapes", "2", "--options", "[1]"], r"--options is '\[1\]'; expected a JSON object"),
        (["mine.py:dense", "--shapes", "4,5", "4,3"], r"dense can't be run on args: .*\(mine.py:7, in dense\)"),
        (["mine.py:powered", "--shapes", "2", "--reference", "mine.py:plain"], "--reference is not for a rule"),
        (["mine.py:absent"], "mine.py has no function 'absent'; it has .*dense, plain"),
        (["dense"], "'dense' is no MODULE:NAME; expected such as my_module:my_rule"),
        (["absent.py:dense"], "absent.py does not exist"),
        (["absent:dense"], "No module named 'absent'; looked in"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_error_names_the_option_and_the_fix(jaxcnn, mine, arguments, message):
    code, _, err = jaxcnn("verify", *arguments)
    assert code == 2
    assert err.startswith("error: ") and re.search(message, err), err


def test_many_rules_are_verified_by_several_processes_in_order(monkeypatch):
    monkeypatch.setattr(pool, "_cores", lambda: 2)
    found = list(pool.verdicts(["flatten", "relu", "relu6", "tanh"], faults=False, cases=1, seed=0))
    assert [v.report.name for v in found] == ["flatten", "relu", "relu6", "tanh"]
    assert all(v.ok and v.report.cases == 1 for v in found)
