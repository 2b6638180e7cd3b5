"""Bad input to padding."""

from jaxcnn import ops
from tests.ops.errors.arrays import X

BAD = {
    "pad-mode": (lambda: ops.pad(X, 1, mode="mirror"), ["mode is 'mirror'", "'reflect'"]),
    "pad-most": (
        lambda: ops.pad(X, ((0, 0), (6, 0)), mode="reflect"),
        ["padding (6, 0) along spatial axis 1", "mode 'reflect'", "its size 6", "at most 5"],
    ),
    "pad-word": (lambda: ops.pad(X, "SAME"), ["padding is 'SAME'; expected an int, or a (low, high) pair"]),
    "pad-axes": (lambda: ops.pad(X, ((-1, 0),)), ["padding is ((-1, 0),)", "each of the 2 spatial axes"]),
    "pad-cropped": (
        lambda: ops.pad(X, ((0, 0), (-4, -3))),
        ["padding (-4, -3) along spatial axis 1 crops 7 entries off its size 6", "at most 6"],
    ),
    "pad-circular": (
        lambda: ops.pad(X, ((0, 0), (-3, 4)), mode="circular"),
        ["padding (-3, 4) along spatial axis 1", "mode 'circular'", "its size 3", "at most 3"],
    ),
    "pad-value": (lambda: ops.pad(X, 1, value="a"), ["value is 'a'", "expected a number"]),
    "pad-value-mode": (
        lambda: ops.pad(X, 1, mode="reflect", value=1),
        ["value is 1; expected a number", "mode='reflect'", "mode='zeros' where it is not 0"],
    ),
}
