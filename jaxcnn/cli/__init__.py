"""The `jaxcnn` command, one subcommand a file; each imports what it needs only when it runs."""
