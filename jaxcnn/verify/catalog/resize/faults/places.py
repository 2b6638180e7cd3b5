"""Mistakes in where the outputs of a resized image lie."""

from typing import Any

from jaxcnn.verify.catalog.fault import Arrays, Fault, Options, as_if

NEXT = {"half_pixel": "asymmetric", "asymmetric": "align_corners", "align_corners": "half_pixel"}


def _without_scale(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
    return arrays, dy, options | {"scale": (None,) * len(options["scale"])}


def _other_coordinates(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
    return arrays, dy, options | {"coordinates": NEXT[options["coordinates"]]}


def place_faults(rule: str) -> list[Fault]:
    """What can go wrong in any resizing."""
    return [
        as_if(rule, 0, "scale-ignored", "takes O / W for the scale where another one is given", _without_scale),
        as_if(
            rule,
            0,
            "other-convention",
            "takes another convention for where the outputs lie than coordinates names",
            _other_coordinates,
        ),
    ]
