"""Verification as an assertion, whose failure is the report."""

from collections.abc import Callable, Sequence
from typing import Any

from jaxcnn.verify.check import check, check_backward
from jaxcnn.verify.report import Report


def assert_backward(
    plain: Callable[..., Any], backward: Callable[..., Any], args: Sequence[Any], **options: Any
) -> Report:
    """`check_backward`, and an AssertionError that prints the report where it fails. Options and errors as there."""
    __tracebackhide__ = True  # pytest then shows the test's own line
    return _ok(check_backward(plain, backward, args, **options))


def assert_gradients(function: Callable[..., Any], args: Sequence[Any], **options: Any) -> Report:
    """`check`, and an AssertionError that prints the report where it fails. Options and errors as there."""
    __tracebackhide__ = True
    return _ok(check(function, args, **options))


def _ok(report: Report) -> Report:
    __tracebackhide__ = True
    if not report.ok:
        raise AssertionError(f"\n{report}")
    return report
