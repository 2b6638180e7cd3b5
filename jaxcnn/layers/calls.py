"""What to write, for those who call a layer as layers of other libraries are called."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

ARRAYS = ("params", "state", "x")


def told_what_to_write(apply: Callable[..., Any]) -> Callable[..., Any]:
    """A layer's `apply` with its arguments looked at first: TypeError where they are not params, state and x.

    ValueError where params or state is another network's, and lacks something.
    """
    takes = inspect.signature(apply).parameters

    @functools.wraps(apply)
    def applied(self: Any, *arguments: Any, **options: Any) -> Any:
        given = dict(zip(ARRAYS, arguments, strict=False)) | {name: options[name] for name in ARRAYS if name in options}
        fits = len(arguments) <= 3 and len(given) == 3 and takes.keys() >= options.keys()
        if not fits or not isinstance(given["params"], Mapping) or not isinstance(given["state"], Mapping):
            raise wrong_call(f"{type(self).__name__}.apply", arguments, options)
        try:
            return apply(self, *arguments, **options)
        except KeyError as error:
            raise ValueError(f"params or state lacks {error}; both must come from this network's init.") from error

    return applied


def wrong_call(called: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> TypeError:
    """The error that shows how a layer is called."""
    seen = ", ".join([*map(_shown, arguments), *(f"{name}={_shown(value)}" for name, value in options.items())])
    return TypeError(
        f"{called}: called with ({seen}); expected params, state and x. A layer holds no parameters: "
        "params, state = net.init(jax.random.key(0), x) makes two dicts of them. Then write "
        "y, state = net.apply(params, state, x), with train=True in training, and key=jax.random.key(1) for dropout; "
        "or, for y alone in evaluation, net(params, state, x)."
    )


def _shown(value: Any) -> str:
    """'float32[2,3]' for an array, 'a dict' and 'a tuple' for what holds them."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{value.dtype}[{','.join(map(str, value.shape))}]"
    return f"a {type(value).__name__}" if isinstance(value, Mapping | tuple | list) else repr(value)
