"""A user's own rule or function, found by its name and verified."""

import importlib
import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxcnn.verify import Report


def verify_target(
    target: str, *, shapes: tuple[str, ...], options: str, reference: str | None, cases: int, seed: int
) -> "Report":
    """Verify MODULE:NAME: a rule over its space or on `shapes`, any other function on `shapes`.

    Returns: the report, under the name by which the target was called. The arguments are as in `VerifyOptions`.

    Raises: ValueError for a target that can't be found, that needs shapes, or can't be run on them.
    """
    from functools import partial

    from jaxcnn.ops.rule import Rule
    from jaxcnn.verify import check, check_rule
    from jaxcnn.verify.catalog.spaces import SPACES, Draw
    from jaxcnn.verify.search import check_draw

    function, keywords = found(target), _keywords(options)
    is_rule = isinstance(function, Rule)
    if is_rule and reference:
        raise ValueError(f"--reference is not for a rule: {target} has its own plain forward.")
    if is_rule and not shapes and function.name in SPACES:
        report = check_rule(function, cases=cases, seed=seed)
    elif not shapes:
        raise ValueError(
            f"{target}: it is not known which arguments it takes; give their shapes, such as --shapes 2,5,5,3 3,3,3,4"
            + (", or enter a strategy for it by jaxcnn.verify.catalog.spaces.space." if is_rule else ".")
        )
    elif is_rule:
        report = check_draw(function, Draw(_arrays(shapes, seed), keywords), seed=seed)
    else:
        plain = None if reference is None else partial(found(reference), **keywords)
        report = check(_named(function, keywords), _arrays(shapes, seed), reference=plain, seed=seed)
    return replace(report, name=target.rpartition(":")[2])


def found(target: str) -> Any:
    """The object that MODULE:NAME or FILE.py:NAME means, modules being looked for in the working directory first."""
    from jaxcnn.models.custom import function_in

    module_name, _, name = target.rpartition(":")
    if not module_name or not name:
        raise ValueError(f"{target!r} is no MODULE:NAME; expected such as my_module:my_rule or my_file.py:my_rule.")
    if module_name.endswith(".py"):
        module = _loaded(Path(module_name))
    else:
        if "" not in sys.path:
            sys.path.insert(0, "")
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            raise ValueError(f"{target}: {error}; looked in {Path.cwd()} and in what is installed.") from error
    return function_in(module, name, f"{target}: {module_name}")


def _loaded(file: Path) -> Any:
    if not file.is_file():
        raise ValueError(f"{file} does not exist.")
    known = sys.modules.get(file.stem)
    if known and known.__file__ and Path(known.__file__) == file.resolve():
        return known  # run once: what registers itself would complain about a second time
    spec = importlib.util.spec_from_file_location(file.stem, file.resolve())
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module  # dataclasses and pickles look their module up there
    sys.path.insert(0, str(file.resolve().parent))  # for what it imports from its neighbours
    spec.loader.exec_module(module)
    return module


def _keywords(text: str) -> dict[str, Any]:
    from jaxcnn.train.records import parse

    expected = """expected a JSON object, such as '{"stride": 2}'."""
    try:
        keywords = parse(text)
    except ValueError as error:
        raise ValueError(f"--options is {text!r}, which is no JSON ({error}); {expected}") from error
    if not isinstance(keywords, dict):
        raise ValueError(f"--options is {text!r}; {expected}")
    return {k: tuple(v) if isinstance(v, list) else v for k, v in keywords.items()}


def _arrays(shapes: tuple[str, ...], seed: int) -> tuple[Any, ...]:
    """A standard normal float32 array for each shape; None for "none"."""
    import numpy as np

    rng = np.random.default_rng(seed)
    arrays: list[Any] = []
    for text in shapes:
        if text == "none":
            arrays.append(None)
            continue
        try:
            shape = tuple(int(part) for part in text.split(",") if part)
        except ValueError:
            shape = (-1,)
        if min(shape, default=0) < 0:
            raise ValueError(f"--shapes has {text!r}; expected sizes such as 2,5,5,3, or none.")
        arrays.append(rng.standard_normal(shape).astype(np.float32))
    return tuple(arrays)


def _named(function: Any, keywords: dict[str, Any]) -> Any:
    """The function with its keyword arguments, under its own name and with its own signature for the report."""
    import functools

    if not keywords:
        return function
    return functools.update_wrapper(functools.partial(function, **keywords), function)
