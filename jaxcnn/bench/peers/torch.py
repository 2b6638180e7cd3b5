"""The same network in PyTorch: channels last in memory, eager or compiled, in bfloat16 by autocast."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from jaxcnn import layers
from jaxcnn.bench.measure import Run
from jaxcnn.bench.peers.network import Node, Sgd
from jaxcnn.bench.precision import Precision
from jaxcnn.layers.combine import Branches, Chain

ACTIVATIONS = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "relu6": nn.ReLU6,
    "hard_swish": nn.Hardswish,
    "hard_sigmoid": nn.Hardsigmoid,
}


def device() -> str:
    """Where PyTorch computes."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def wait(_: Any) -> None:
    """Until everything that was started is done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def within(precision: Precision) -> Callable[[], AbstractContextManager[None]]:
    """The context in which float32 is multiplied as `precision` says."""
    return partial(_multiplying, precision == "tensorfloat32")


@contextmanager
def _multiplying(tf32: bool) -> Iterator[None]:
    """The same for cuBLAS and cuDNN, of whose algorithms the fastest is looked for, as XLA does."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark
    matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark = tf32, tf32, True
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark = before


def channels_last(images: Any) -> Any:
    """A batch (n, h, w, c) as PyTorch's (n, c, h, w), which lies in memory as it did."""
    made = torch.from_numpy(np.array(images, np.float32)).permute(0, 3, 1, 2)
    return made.contiguous(memory_format=torch.channels_last).to(device())


def network(tree: Node, precision: Precision, *, compiled: bool = False) -> "Network":
    """A PyTorch network with the weights of `tree`."""
    return Network(tree, precision, compiled)


@dataclass(frozen=True)
class Network:
    """A PyTorch module, and whether it is compiled before use."""

    tree: Node
    precision: Precision
    compiled: bool

    def training(self, images: Any, labels: Any, sgd: Sgd) -> Run:
        """Each call makes one step on this batch and returns the loss before it."""
        model = self._module().train()
        optimizer = torch.optim.SGD(model.parameters(), sgd.learning_rate, sgd.momentum)
        forward = self._ready(model)
        x, labels = channels_last(images), torch.from_numpy(np.array(labels, np.int64)).to(device())

        def call() -> Any:
            with self._autocast():
                loss = F.cross_entropy(forward(x), labels)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()  # now, so that gradients are no memory that is there between steps
            return loss.detach()

        return Run(call, wait, within(self.precision))

    def answering(self, images: Any) -> Run:
        """Each call returns the logits of this batch, when they are there."""
        model = self._module().eval()
        forward = self._ready(model)
        x = channels_last(images)

        def call() -> Any:
            with torch.inference_mode(), self._autocast():
                y = forward(x)
            wait(y)
            return y

        return Run(call, wait, within(self.precision))

    def _module(self) -> Any:
        return module(self.tree).to(device(), memory_format=torch.channels_last)

    def _ready(self, model: Any) -> Any:
        """The model itself, or compiled.

        PyTorch takes what it compiles after the eighth network of a process for a mistake and runs it eagerly, and
        after the second compiles for sizes that may change, which is slower: neither is meant here.
        """
        if not self.compiled:
            return model
        torch._dynamo.config.recompile_limit = torch._dynamo.config.accumulated_recompile_limit = 1000
        torch._dynamo.config.fail_on_recompile_limit_hit = True
        return torch.compile(model, dynamic=False)

    def _autocast(self) -> Any:
        return torch.autocast(device(), torch.bfloat16, enabled=self.precision == "bfloat16")


def module(tree: Node) -> Any:
    """The module of PyTorch that does what this layer does, with its weights."""
    match tree.layer:
        case Chain():
            return nn.Sequential(*map(module, tree.parts))
        case Branches(join=join):
            return Joined(join, [module(part) for part in tree.parts])
        case layers.Conv() as conv:
            before, padding = _padding(tree, 0.0)
            made = nn.Conv2d(
                tree.channels,
                conv.features,
                tree.window,
                tree.stride,
                padding,
                tree.dilation,
                conv.groups,
                conv.use_bias,
            )
            weights = {"weight": tree.weight("kernel").transpose(3, 2, 0, 1)}
            return nn.Sequential(*before, _loaded(made, weights | _bias(tree)))
        case layers.Dense(features=features, use_bias=use_bias):
            made = nn.Linear(tree.channels, features, use_bias)
            return _loaded(made, {"weight": tree.weight("kernel").T} | _bias(tree))
        case layers.BatchNorm(momentum=momentum, epsilon=epsilon):
            kind = nn.BatchNorm2d if len(tree.x.shape) == 4 else nn.BatchNorm1d
            new = None if momentum is None else 1 - momentum  # PyTorch's momentum is the weight of the new value
            made = kind(tree.channels, epsilon, new)
            names = {"weight": "scale", "bias": "bias", "running_mean": "mean", "running_var": "var"}
            return _loaded(made, {theirs: tree.weight(ours) for theirs, ours in names.items()})
        case layers.LayerNorm(epsilon=epsilon):
            norm = nn.LayerNorm(tree.channels, epsilon)
            return ChannelsLast(_loaded(norm, {"weight": tree.weight("scale"), "bias": tree.weight("bias")}))
        case layers.LayerScale():
            return ChannelsLast(_loaded(Scaled(tree.channels), {"scale": tree.weight("scale")}))
        case layers.Activation(name=name, options=()) if name in ACTIVATIONS:
            return ACTIVATIONS[name]()
        case layers.MaxPool():
            before, padding = _padding(tree, -float("inf"))
            return nn.Sequential(*before, nn.MaxPool2d(tree.window, tree.stride, padding))
        case layers.AvgPool() if not tree.is_padded:
            return nn.AvgPool2d(tree.window, tree.stride)
        case layers.GlobalAvgPool():
            return Applied(lambda x: x.mean((2, 3)))
        case layers.GlobalMaxPool():
            return Applied(lambda x: x.amax((2, 3)))
        case layers.Flatten():  # in our order, which the weights after it are in, too; it copies nothing
            return Applied(lambda x: x.permute(0, 2, 3, 1).flatten(1))
        case _:
            raise tree.refused("no module of PyTorch is known to compute the same")


class Applied(nn.Module):  # type: ignore[misc]
    """A function as a module."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Any) -> Any:
        return self.function(x)


class Joined(nn.Module):  # type: ignore[misc]
    """Branches side by side, their outputs added, multiplied or concatenated."""

    def __init__(self, join: str, branches: list[Any]) -> None:
        super().__init__()
        self.join, self.branches = join, nn.ModuleList(branches)

    def forward(self, x: Any) -> Any:
        outputs = [branch(x) for branch in self.branches]
        if self.join == "multiply":
            body, gate = outputs
            return body * (gate if gate.ndim == body.ndim else gate[:, :, None, None])
        return sum(outputs[1:], outputs[0]) if self.join == "add" else torch.cat(outputs, 1)


class ChannelsLast(nn.Module):  # type: ignore[misc]
    """A module that wants the channels as its last axis; where they are last in memory that copies nothing."""

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Any) -> Any:
        return self.inner(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2) if x.ndim == 4 else self.inner(x)


class Scaled(nn.Module):  # type: ignore[misc]
    """A learned factor for each channel, the last axis."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels))

    def forward(self, x: Any) -> Any:
        return x * self.scale


def _padding(tree: Node, value: float) -> tuple[list[Any], tuple[int, int]]:
    """Modules that come before, and the padding of the layer itself, which is the same at both ends."""
    (top, bottom), (left, right) = tree.padding
    if top == bottom and left == right:
        return [], (top, left)
    return [nn.ConstantPad2d((left, right, top, bottom), value)], (0, 0)


def _bias(tree: Node) -> dict[str, Any]:
    return {"bias": tree.weight("bias")} if "bias" in tree.params else {}


def _loaded(made: Any, weights: dict[str, Any]) -> Any:
    made.load_state_dict({name: torch.tensor(np.ascontiguousarray(w)) for name, w in weights.items()}, strict=False)
    return made
