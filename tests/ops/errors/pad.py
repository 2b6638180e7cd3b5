"""Bad input to padding."""

from jaxcnn import ops
from tests.ops.errors.arrays import X

BAD = {
    "pad-mode": (lambda: ops.pad(X, 1, mode="mirror"), ["mode is 'mirror'", "'reflect'"]),
    "pad-most": (
        lambda: ops.pad(X, ((0, 0), (6, 0)), mode="reflect"),
        ["padding (6, 0) along spatial axis 1", "mode 'reflect'", "its size 6", "at most 5"],
    ),
    "pad-word": (lambda: ops.pad(X, "SAME"), ["padding is 'SAME'; expected an int of 0 or more"]),
}
