"""`python -m jaxcnn` is the `jaxcnn` command."""

from jaxcnn.cli.main import main

if __name__ == "__main__":
    main()
