"""The `jaxcnn` command, also as `python -m jaxcnn`."""

from jaxcnn.cli import huge_pages


def command() -> None:
    """What a shell starts, as a process of its own. From Python it is `jaxcnn.cli.main.main`, which starts nothing."""
    huge_pages.ask()
    from jaxcnn.cli.main import main

    main()


if __name__ == "__main__":
    command()
