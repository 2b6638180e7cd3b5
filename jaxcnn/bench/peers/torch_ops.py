"""The same operations in PyTorch, channels last in memory."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from jaxcnn.bench.contest import Prepared, Results
from jaxcnn.bench.measure import Run
from jaxcnn.bench.ops import Case
from jaxcnn.bench.peers.network import Untranslatable
from jaxcnn.bench.peers.torch import device, wait, within
from jaxcnn.bench.precision import Precision, dtype
from jaxcnn.ops.geometry import per_axis, resolve_padding


def prepared(case: Case, precision: Precision) -> Prepared:
    """Each pass of the operation, on the same values; a backward pass computes only what its part names."""
    function = _function(case)
    arrays, dy = case.arrays(dtype(precision))
    inputs = [_tensor(a, i, case).requires_grad_() for i, a in enumerate(arrays)]
    dy_tensor = _tensor(dy, 0, case)
    y = function(*inputs)

    def backward(wanted: tuple[int, ...]) -> Callable[[], Any]:
        return lambda: torch.autograd.grad(y, [inputs[i] for i in wanted], dy_tensor, retain_graph=True)

    calls = {"forward": lambda: function(*inputs)} | {part: backward(wanted) for part, wanted in case.parts.items()}

    def evidence(results: Results) -> Any:
        found = [_array(results["forward"], 0, case)]
        for part, wanted in case.parts.items():
            found += [_array(t, i, case) for t, i in zip(results[part], wanted, strict=True)]
        return found

    return Prepared({part: Run(call, wait, within(precision)) for part, call in calls.items()}, evidence)


def product(size: int, precision: Precision) -> Run:
    """A product of two square matrices."""
    a, b = (torch.randn(size, size, device=device()).to(_DTYPES[str(dtype(precision))]) for _ in range(2))
    return Run(lambda: a @ b, wait, within(precision))


_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def _function(case: Case) -> Callable[..., Any]:
    options = case.options
    match case.op:
        case "conv":
            (x, kernel), stride = case.shapes, options.get("stride", 1)
            strides, dilations = (per_axis("conv", name, options.get(name, 1), 2) for name in ("stride", "dilation"))
            pads = resolve_padding("conv", options.get("padding", "SAME"), x[1:-1], kernel[:-2], strides, dilations)
            (top, bottom), (left, right) = pads
            groups = options.get("groups", 1)
            if (top, left) == (bottom, right):
                return lambda x, w: F.conv2d(x, w, None, stride, (top, left), dilations, groups)
            around = (left, right, top, bottom)
            return lambda x, w: F.conv2d(F.pad(x, around), w, None, stride, 0, dilations, groups)
        case "dense":
            return F.linear
        case "max_pool":
            size, stride = options["size"], options.get("stride")
            return lambda x: F.max_pool2d(x, size, stride, options.get("padding", 0))
        case "avg_pool":
            return lambda x: F.avg_pool2d(x, options["size"], options.get("stride"))
        case "batch_norm":
            return lambda x, scale, bias: F.batch_norm(x, None, None, scale, bias, training=True)
        case "relu":
            return F.relu
        case "gelu":
            return F.gelu
    raise Untranslatable(f"{case.op}: no function of PyTorch is known to compute the same")


def _tensor(array: Any, argument: int, case: Case) -> Any:
    """Images as (n, c, h, w), kernels as (o, i, h, w) or (o, i), all channels last in memory."""
    made = torch.from_numpy(np.array(array, np.float32)).to(device(), _DTYPES[str(array.dtype)])
    if made.ndim == 4:
        axes = (3, 2, 0, 1) if case.op == "conv" and argument == 1 else (0, 3, 1, 2)
        return made.permute(axes).contiguous(memory_format=torch.channels_last)
    return made.T.contiguous() if case.op == "dense" and argument == 1 else made


def _array(tensor: Any, argument: int, case: Case) -> Any:
    """A tensor laid out as ours is."""
    values = tensor.detach().float().cpu()
    if values.ndim == 4:
        values = values.permute((2, 3, 1, 0) if case.op == "conv" and argument == 1 else (0, 2, 3, 1))
    return (values.T if case.op == "dense" and argument == 1 else values).numpy()
