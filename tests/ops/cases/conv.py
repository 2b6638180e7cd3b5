"""Convolution and its two gradients, over every kind of geometry."""

import numpy as np

from jaxcnn.verify.catalog.conv.naive import unfold
from jaxcnn.verify.catalog.windows.naive import windows
from tests.ops.cases.case import Case, normal

# name, spatial sizes, window, options. Cin = 4 and Cout = 6 unless groups say otherwise, batch 2 unless named.
GEOMETRIES = [
    ("1d", (7,), (3,), {}),
    ("1d-stride-dilation", (11,), (3,), {"stride": 2, "dilation": 3, "padding": ((4, 1),)}),
    ("same", (5, 5), (3, 3), {}),
    ("valid", (5, 6), (3, 2), {"padding": "VALID"}),
    ("full", (4, 3), (3, 2), {"padding": "FULL"}),
    ("full-stride-dilation", (5, 4), (3, 2), {"padding": "FULL", "stride": (2, 3), "dilation": 2}),
    ("int-padding", (5, 5), (3, 3), {"padding": 2}),
    ("causal", (6,), (3,), {"padding": "CAUSAL"}),
    ("causal-stride-dilation", (7, 5), (2, 3), {"padding": "CAUSAL", "stride": (2, 1), "dilation": (3, 1)}),
    ("stride-remainder", (7, 8), (3, 3), {"stride": 3, "padding": "VALID"}),
    ("same-stride", (7, 6), (3, 3), {"stride": 2}),
    ("even-kernel", (6, 5), (2, 4), {}),
    ("even-kernel-stride", (7, 6), (4, 2), {"stride": 2}),
    ("stride-exceeds-kernel", (8, 7), (2, 1), {"stride": 3, "padding": "VALID"}),
    ("asymmetric-padding", (5, 4), (3, 3), {"padding": ((2, 0), (0, 1)), "stride": (2, 1)}),
    ("padding-exceeds-kernel", (3, 4), (2, 2), {"padding": ((3, 2), (0, 4)), "stride": 2}),
    ("dilation", (8, 7), (3, 2), {"dilation": (2, 3)}),
    ("dilation-stride", (9, 8), (3, 2), {"dilation": 2, "stride": (2, 3), "padding": 1}),
    ("1x1", (4, 3), (1, 1), {}),
    ("1x1-stride", (4, 5), (1, 1), {"stride": 2}),
    ("kernel-is-input", (4, 3), (4, 3), {"padding": "VALID"}),
    ("size-1-axis", (1, 5), (1, 3), {}),
    ("groups", (5, 4), (3, 3), {"groups": 2}),
    ("groups-stride-dilation", (9, 8), (3, 2), {"groups": 2, "stride": 2, "dilation": (1, 2), "padding": 1}),
    ("3d", (4, 3, 5), (2, 3, 2), {}),
    ("3d-stride-asymmetric", (4, 5, 3), (2, 3, 2), {"stride": (1, 2, 2), "padding": ((1, 0), (0, 2), (1, 1))}),
]


def _conv_cases():
    for name, sizes, window, options in GEOMETRIES:
        cin = 4 // options.get("groups", 1)
        yield Case("conv", name, normal((2, *sizes, 4), (*window, cin, 6), (6,)), options)
    yield Case("conv", "no-bias", normal((2, 5, 4, 3), (3, 3, 3, 2), None))
    yield Case("conv", "batch-1", normal((1, 5, 4, 3), (3, 3, 3, 2), (2,)))
    yield Case("conv", "one-channel", normal((2, 5, 4, 1), (3, 3, 1, 1), (1,)))
    yield Case("conv", "cin-equals-cout", normal((2, 5, 4, 3), (3, 3, 3, 3), (3,)))
    yield Case("conv", "depthwise", normal((2, 5, 4, 3), (3, 3, 1, 6), (6,)), {"groups": 3})
    yield Case("conv", "nchw", normal((2, 3, 5, 4), (3, 3, 3, 2), (2,)), {"layout": "NCHW", "stride": 2})
    yield Case("conv", "nchw-1d", normal((2, 3, 5), (3, 3, 2), (2,)), {"layout": "NCHW"})


def _conv_gradient_cases():
    for name, sizes, window, options in GEOMETRIES:
        cin = 4 // options.get("groups", 1)
        geometry = {"stride": 1, "padding": "SAME", "dilation": 1} | options
        geometry.pop("groups", None)
        out, _, _ = next(iter(windows(sizes, window, **geometry)))
        dy, x, kernel = (2, *out, 6), (2, *sizes, 4), (*window, cin, 6)
        yield Case("conv_dgrad", name, normal(dy, kernel), options | {"sizes": sizes})
        yield Case("conv_wgrad", name, normal(x, dy), options | {"window": window})


# name, spatial sizes of the input, window, options.
TRANSPOSED = [
    ("1d", (4,), (3,), {"stride": 2}),
    ("same", (4, 3), (3, 3), {}),
    ("same-stride", (3, 4), (3, 2), {"stride": (2, 3)}),
    ("valid", (3, 4), (3, 2), {"stride": 2, "padding": "VALID"}),
    ("full", (4, 5), (3, 2), {"padding": "FULL", "stride": 2}),
    ("causal", (4,), (3,), {"padding": "CAUSAL", "stride": 2, "output_padding": 1}),
    ("output-padding", (3, 4), (3, 3), {"stride": (2, 3), "padding": 1, "output_padding": (1, 2)}),
    ("asymmetric-padding", (4, 3), (3, 2), {"stride": 2, "padding": ((2, 0), (0, 1))}),
    ("dilation", (4, 3), (3, 2), {"dilation": (2, 3), "padding": "VALID", "stride": 2}),
    (
        "output-padding-below-dilation",
        (3, 4),
        (2, 3),
        {"dilation": (3, 4), "stride": (2, 1), "padding": ((1, 0), (0, 2)), "output_padding": (2, 3)},
    ),
    ("stride-exceeds-kernel", (3, 2), (2, 1), {"stride": 3, "padding": "VALID"}),
    ("groups", (3, 2), (3, 2), {"groups": 2, "stride": 2, "padding": 1}),
    ("3d", (2, 3, 2), (2, 3, 2), {"stride": (2, 1, 2), "padding": ((0, 1), (1, 1), (0, 0))}),
]


def _conv_transpose_cases():
    for name, sizes, window, options in TRANSPOSED:
        out = 6 // options.get("groups", 1)
        yield Case("conv_transpose", name, normal((2, *sizes, 4), (*window, out, 4), (6,)), options)
    yield Case("conv_transpose", "no-bias", normal((1, 3, 2, 2), (2, 2, 3, 2), None), {"stride": 2})
    yield Case("conv_transpose", "nchw", normal((2, 3, 4, 2), (3, 3, 2, 3), (2,)), {"stride": 2, "layout": "NCHW"})


# name, spatial sizes, window, options. 3 channels, batch 2.
UNFOLDED = [
    ("overlap", (5, 4), (3, 2), {}),
    ("patches", (4, 6), 2, {"stride": 2}),
    ("gaps", (7, 5), (2, 1), {"stride": 3}),
    ("same-stride", (5, 6), 3, {"stride": 2, "padding": "SAME"}),
    ("full", (3, 2), (2, 3), {"padding": "FULL"}),
    ("causal", (5,), 3, {"padding": "CAUSAL", "dilation": 2}),
    ("asymmetric-dilation", (7, 6), (2, 3), {"padding": ((2, 0), (0, 3)), "dilation": (3, 2), "stride": (1, 2)}),
    ("wide", (20,), 18, {"padding": 2}),
    ("3d", (3, 4, 2), (2, 3, 1), {"stride": (1, 2, 1), "padding": ((0, 1), (1, 1), (0, 0))}),
]


def _unfold_cases():
    for name, sizes, window, options in UNFOLDED:
        options = {"window": window} | options
        rows = unfold(np.zeros((2, *sizes, 3)), **options).shape
        yield Case("unfold", name, normal((2, *sizes, 3)), options)
        yield Case("fold", name, normal(rows), {"sizes": sizes} | options)
    options = {"window": (2, 3), "padding": 1, "layout": "NCHW"}
    yield Case("unfold", "nchw", normal((2, 3, 4, 5)), options)
    yield Case("fold", "nchw", normal((2, 18, 25)), {"sizes": (4, 5)} | options)


CASES = [*_conv_cases(), *_conv_gradient_cases(), *_conv_transpose_cases(), *_unfold_cases()]
