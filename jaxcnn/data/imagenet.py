"""What the 1,000 outputs of a network for ImageNet mean."""

from importlib import resources


def names() -> tuple[str, ...]:
    """The classes of ILSVRC2012 in the order of its devkit's sorted WordNet ids, which is that of everyone's networks.

    Of a class's words in WordNet the first, such as "tench" for "tench, Tinca tinca". Two pairs would be called alike:
    they are "crane (bird)" and "crane (machine)", "maillot" and "tank suit". Source: Russakovsky et al. 2015.
    """
    return tuple(resources.files(__package__).joinpath("imagenet.txt").read_text("utf-8").splitlines())
