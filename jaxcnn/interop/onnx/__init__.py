"""ONNX files: a network written as one, and one read."""
