"""What a command printed, read back."""

import re


def tables(out):
    """Of each of Rich's tables its rows, lists of cells, the headings first."""
    found = []
    for line in out.splitlines():
        if line.startswith("┃"):
            found.append([])
        if line.startswith(("┃", "│")):
            found[-1].append([cell.strip() for cell in re.split("[┃│]", line)[1:-1]])
    return found


def rows(out):
    """Of the first table the cells of each row, by the first of them."""
    return {first: others for first, *others in tables(out)[0][1:]}
