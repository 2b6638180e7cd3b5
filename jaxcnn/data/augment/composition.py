"""Augmentations one after another, written as one line: "crop(4,reflect),flip,cutout(8),mixup(0.2)"."""

import ast
import difflib
import re
from dataclasses import dataclass
from typing import Any, TypeVar

import jax
from jax import Array

from jaxcnn.data.augment.registry import AUGMENTATIONS, Images

T = TypeVar("T", bound=Array)
EXPECTED = 'expected none, or augmentations by name, such as "crop(4,reflect),flip,mixup(0.2)"'
ALIASES = {"flip_shift": ("shift", "flip")}


@dataclass(frozen=True)
class Step:
    """An augmentation with all its arguments, by name and in their order."""

    name: str
    arguments: tuple[tuple[str, Any], ...]

    def __str__(self) -> str:
        """As one types it: arguments in their order, without the last ones that have their defaults."""
        defaults = AUGMENTATIONS[self.name].defaults
        arguments = list(self.arguments)
        while arguments and arguments[-1][0] in defaults and arguments[-1][1] == defaults[arguments[-1][0]]:
            arguments.pop()
        words = [_text(value) for _, value in arguments]
        return f"{self.name}({','.join(words)})" if words else self.name


@dataclass(frozen=True)
class Augmentation:
    """Augmentations in the order in which they are done; made by `parse`. Hashable, a static argument of jit.

    `str` is the text that gives it again, the same for all that are equal.
    """

    steps: tuple[Step, ...]

    @property
    def mixes(self) -> bool:
        """Whether targets become mixtures, so that a loss must take probabilities and not labels."""
        return any(AUGMENTATIONS[step.name].mixes for step in self.steps)

    def __call__(self, key: Array, images: Images, targets: T) -> tuple[Images, T]:
        """Images and targets after all steps, each with a key of its own.

        Args:
          key: decides everything.
          images: (n, h, w, c).
          targets: (n, classes) probabilities, where `mixes`; otherwise they come back as they are, whatever they are.
        """
        # Two keys at least, as there were when `shift` and `flip-shift` were all; their draws are the same since.
        keys = jax.random.split(key, max(2, len(self.steps)))
        for step, one in zip(self.steps, keys, strict=False):
            entry, arguments = AUGMENTATIONS[step.name], dict(step.arguments)
            if entry.mixes:
                images, targets = entry.function(one, images, targets, **arguments)
            else:
                images = entry.function(one, images, **arguments)
        return images, targets

    def __str__(self) -> str:
        return ",".join(map(str, self.steps)) or "none"


def parse(text: str) -> Augmentation:
    """The augmentation that a line of text describes.

    The text is `none`, or names of augmentations with their arguments in parentheses, in order or by name, as a call is
    written in Python; words need no quotes, a name may have hyphens, and without arguments no parentheses are needed.
    `flip-shift` is `shift,flip`.

    Raises: ValueError for what can't be read, an unknown name (with the nearest one), a missing, unknown or wrong
      argument (with what was expected).
    """
    written = re.sub(r"(?<=[A-Za-z])-(?=[A-Za-z])", "_", text.strip())
    if written == "none":
        return Augmentation(())
    try:
        tree = ast.parse(written := f"({written},)", mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # a null character; parentheses without end
        raise _wrong(text, EXPECTED) from None
    if not isinstance(tree, ast.Tuple):
        raise _wrong(text, EXPECTED)
    steps: list[Step] = []
    for node in tree.elts:
        call = node if isinstance(node, ast.Call) else ast.Call(node, [], [])
        if not isinstance(call.func, ast.Name):
            raise _wrong(text, EXPECTED)
        names = ALIASES.get(call.func.id, (call.func.id,))
        if len(names) > 1 and call is node:
            raise _wrong(text, f"{call.func.id} takes no arguments; write {','.join(f'{name}(...)' for name in names)}")
        steps += [_step(text, name, call, written) for name in names]
    return Augmentation(tuple(steps))


def _step(text: str, name: str, call: ast.Call, written: str) -> Step:
    entry = AUGMENTATIONS.get(name)
    if entry is None:
        raise _wrong(text, _unknown(name))
    known = list(entry.kinds)
    takes = f"{name} takes {', '.join(known)}"
    if len(call.args) > len(known):
        raise _wrong(text, f"{name} has {len(call.args)} arguments; {takes}")
    given = dict(zip(known, call.args, strict=False))
    for keyword in call.keywords:
        if keyword.arg not in known:
            raise _wrong(text, f"{name} has an argument {keyword.arg}; {takes}")
        if keyword.arg in given:
            raise _wrong(text, f"{name}: {keyword.arg} is given twice")
        given[keyword.arg] = keyword.value
    arguments = []
    for argument, kind in entry.kinds.items():
        if argument in given:
            try:
                arguments.append((argument, entry.checked(name, argument, _value(given[argument], written))))
            except ValueError as error:
                raise _wrong(text, str(error).removesuffix(".")) from None
        elif argument in entry.defaults:
            arguments.append((argument, entry.defaults[argument]))
        else:
            raise _wrong(text, f"{name}: {argument} is missing; expected {kind.expected}")
    return Step(name, tuple(arguments))


def _value(node: ast.expr, written: str) -> Any:
    """A number, a word or a few of them; for anything else its text, which no kind accepts."""
    match node:
        case ast.Name(word):
            return word
        case ast.Tuple(elements) | ast.List(elements):
            return tuple(_value(element, written) for element in elements)
        case ast.Constant(value):
            return value
        case ast.UnaryOp(ast.USub(), ast.Constant(int() | float() as number)):
            return -number
    return ast.get_source_segment(written, node)


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({','.join(map(_text, value))})"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def _unknown(name: str) -> str:
    if name == "alternating_flip":
        return (
            "alternating_flip must know which image is which and which epoch it is, and can't be composed by name; "
            "call jaxcnn.data.augment.alternating_flip, or take flip"
        )
    if name == "none":
        return "none stands alone"
    near = difflib.get_close_matches(name, [*AUGMENTATIONS, "flip_shift"], 1)
    hint = f", did you mean {near[0]}?" if near else ";"
    return f"no augmentation is called {name}{hint} There are {', '.join(sorted(AUGMENTATIONS))}"


def _wrong(text: str, expected: str) -> ValueError:
    return ValueError(f"augment is {text!r}; {expected}.")
