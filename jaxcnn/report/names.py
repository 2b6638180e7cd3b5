"""The words that docstrings of operations write for variables and functions, beside the letters that all use."""

_WORDS = """
    alpha anchor beta bias class_weights delta dilation epsilon gain grid high index inf kept kernel label labels log_p
    logit logits loss low margin mean negative offset positive positive_weight prediction rate scale scores size slope
    softmax stride target theta threshold var window
"""
NAMES = frozenset(_WORDS.split())
FUNCTIONS = frozenset(
    ["exp", "log", "tanh", "sinh", "cosh", "softplus", "max", "min", "mean", "sign", "floor", "ceil", "expm1"]
)


def is_cotangent(name: str) -> bool:
    """Whether it is that of a letter or of one of the `NAMES`: dx, ddx, dkernel."""
    of = name.lstrip("d")
    return len(name) > len(of) > 0 and (len(of) == 1 or of in NAMES) and name not in ("do", "down")
