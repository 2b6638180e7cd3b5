"""The `jaxcnn` command, run in this process."""

import pytest

from jaxcnn.cli.main import main


@pytest.fixture
def jaxcnn(capfd):
    """Run the command in this process: (exit code, stdout, stderr)."""

    def run(*arguments):
        with pytest.raises(SystemExit) as exit:
            main([str(argument) for argument in arguments])
        return exit.value.code, *capfd.readouterr()

    return run
