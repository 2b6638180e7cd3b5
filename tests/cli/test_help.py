"""--help, at the width of a terminal, and what a shell completes."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import typing
from dataclasses import fields

import pytest

from jaxcnn.cli import main
from jaxcnn.cli.train import TrainOptions
from jaxcnn.train.recipe.option import Recipe

KINDS = {config.name: kind for kind, config in map(typing.get_args, typing.get_args(main.COMMANDS))}
RECIPES = [kind for kind in reversed(TrainOptions.__mro__) if kind.__base__ is Recipe]
BOXES = {re.sub("(?<=[a-z])(?=[A-Z])", "-", kind.__name__.removesuffix("Recipe")).lower(): kind for kind in RECIPES}


@pytest.fixture
def help(jaxcnn, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")

    def text(*command):
        code, out, _ = jaxcnn(*command, "--help")
        assert code == 0
        return out

    return text


def examples(text):
    """The commands of a help, as one would type them."""
    joined = re.sub(r"[│\s]+", " ", text)
    return [match.strip() for match in re.findall(r"\$ (jaxcnn .*?)(?= [A-Z(•$╭╰]|$)", joined)]


def test_every_command_is_listed_with_an_example(help):
    typed = {example.split()[1] for example in examples(help())}
    assert typed == set(KINDS)


@pytest.mark.parametrize("command", KINDS)
def test_help_fits_a_terminal_and_its_examples_are_commands(help, command):
    usage, _, text = help(command).partition("\n\n")
    assert usage.startswith(f"usage: jaxcnn {command}")
    assert max(map(len, text.splitlines())) <= 80
    typed = examples(text)
    assert typed
    for example in typed:
        words = shlex.split(example.partition(" > ")[0])[1:]
        assert words[0] == command
        parsed = main.sweep.parsed(words, main.parse)
        assert isinstance(parsed, KINDS[command])


def test_train_shows_each_option_once_in_the_box_of_its_recipe(help):
    parts = re.split(r"╭─ (.*?) ─*╮", help("train"))
    boxes = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert list(boxes) == ["options", *(f"{name} options" for name in BOXES)]
    assert {"data", "model", "optimization", "devices", "watch", "run"} <= set(BOXES)
    lines = {title: re.findall(r"^│ (--.*)", text, re.MULTILINE) for title, text in boxes.items()}
    named = {title: [re.findall(r"--[\w-]+", line.split("  ")[0])[-1] for line in of] for title, of in lines.items()}
    for name, of in BOXES.items():
        assert named[f"{name} options"] == ["--" + field.name.replace("_", "-") for field in fields(of)]
    of_recipes = {field.name for of in BOXES.values() for field in fields(of)}
    own = [field.name for field in fields(TrainOptions) if field.name not in of_recipes]
    assert named["options"] == ["--" + name.replace("_", "-") for name in own]


def test_options_of_all_boxes_are_one_namespace():
    options = main.parse(["train", "--batch-size", "full", "--skip-bad", "--keep", "3", "--lr", "0.5", "--seeds", "2"])
    assert type(options) is TrainOptions
    assert (options.batch_size, options.skip_bad, options.keep, options.seeds) == ("full", True, 3, 2)
    assert options.learning_rate == 0.5 and options.weight_decay is None  # which only the recipe fills in


def test_a_text_of_several_lines_is_one_paragraph(help):
    lines = [line.strip("│ ") for line in help("train").splitlines()]
    start = lines.index("--model STR        The network, by a name that jaxcnn models lists; or")
    text = " ".join(lines[start : start + 5])
    assert "returns a layer for the number of classes. The run folder keeps" in text
    assert all(len(line) > 40 for line in lines[start : start + 4])  # the source's line breaks are not there


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("typed", "completed"),
    [("tr", {"train"}), ("train --optim", {"--optimizer"}), ("train --optimizer adam", {"adam", "adamw"})],
)
def test_a_shell_completes(jaxcnn, tmp_path, typed, completed):
    code, script, _ = jaxcnn("completion", "bash")
    assert code == 0
    (tmp_path / "completion").write_text(script)
    words = ["jaxcnn", *typed.split()]
    program = (
        f"source {tmp_path}/completion; COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}; "
        f'_tyro_jaxcnn jaxcnn {words[-1]} {words[-2]}; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    path = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
    run = subprocess.run(["bash", "-c", program], capture_output=True, text=True, env=os.environ | {"PATH": path})
    assert {line.strip() for line in run.stdout.splitlines()} == completed, run.stderr


@pytest.mark.skipif(not shutil.which("fish"), reason="needs fish")
def test_fish_completes(jaxcnn, tmp_path):
    (tmp_path / "completion").write_text(jaxcnn("completion", "fish")[1])
    program = f"source {tmp_path}/completion; complete -C 'jaxcnn train --optimizer ad'"
    run = subprocess.run(
        ["fish", "-c", program], capture_output=True, text=True, env=os.environ | {"HOME": str(tmp_path)}
    )
    assert {line.split("\t")[0] for line in run.stdout.splitlines()} == {"adam", "adamw"}, run.stderr


def test_an_unknown_shell_is_named(jaxcnn):
    code, _, err = jaxcnn("completion", "csh")
    assert code == 2 and "csh" in err and "zsh" in err
