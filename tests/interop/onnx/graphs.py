"""ONNX files of a few nodes, written as text, and what a runtime makes of them."""

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

try:
    import onnxruntime
except ImportError:
    onnxruntime = None


def model(body, weights, *, x="float[n,3,8,8] x", y="float[] y", opset=17, ir=8):
    """The nodes in `body`, by ONNX's own syntax, with these arrays; of a shape random ones."""
    rng = np.random.default_rng(0)
    outputs = ", ".join(f"float[] {name}" if " " not in name else name for name in y.split(", "))
    graph = onnx.parser.parse_graph(f"graph ({x}) => ({outputs}) {{ {body} }}")
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    for name, array in weights.items():
        if isinstance(array, tuple):
            array = rng.uniform(0.5, 1.5, array) * rng.choice([-1, 1], array) / 2
        array = np.asarray(array)
        array = array.astype(np.float32) if array.dtype == np.float64 else array
        graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    for place, node in enumerate(graph.node):
        node.name = f"node{place}"
    made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=ir)
    onnx.helper.set_model_props(made, {"classes": "cat, dog"})
    return made


def computed(made, x):
    """By onnxruntime where it is installed, else by ONNX's reference implementation."""
    (name,) = [value.name for value in made.graph.input]
    if onnxruntime is None:
        return ReferenceEvaluator(made).run(None, {name: x})[0]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(made.SerializeToString(), options).run(None, {name: x})[0]


def channels_last(a):
    """ONNX's images as ours; (n, c, 1, 1) is (n, c)."""
    return np.moveaxis(a, 1, -1) if a.ndim > 2 else a
