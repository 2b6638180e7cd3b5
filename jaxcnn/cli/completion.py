"""`jaxcnn completion`: what makes a shell complete the words of this command."""

import contextlib
from dataclasses import dataclass
from typing import Literal

import tyro


@dataclass(frozen=True)
class CompletionOptions:
    """Print the script by which a shell completes commands and options.
    $ jaxcnn completion bash > ~/.local/share/bash-completion/completions/jaxcnn
    """

    shell: tyro.conf.Positional[Literal["bash", "zsh", "fish"]]
    """The shell that you type in. The file of fish is ~/.config/fish/completions/jaxcnn.fish, that of zsh _jaxcnn in a
    folder of $fpath."""


def run(options: CompletionOptions) -> int:
    """Print the script, which is tyro's; returns 0."""
    from jaxcnn.cli.main import parse

    with contextlib.suppress(SystemExit):  # with which tyro ends
        parse(["--tyro-write-completion", options.shell, "-"])
    return 0
