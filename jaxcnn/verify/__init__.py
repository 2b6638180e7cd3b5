"""Is this backward pass right? If not: which argument, where, and why.

    report = check_backward(plain, backward, args)     a bare pair
    report = check(function, args, reference=plain)    anything that jax.vjp pulls back through
    report = check_rule(RULES["conv"])                 a registered rule, over shapes and options that are searched
    print(report)

In a test, `assert_backward` and `assert_gradients` (also pytest fixtures) fail with the report.

Nothing else of jaxcnn is needed to use it.
"""

from jaxcnn.verify.asserts import assert_backward, assert_gradients
from jaxcnn.verify.check import check, check_backward
from jaxcnn.verify.report import Check, Failure, Report
from jaxcnn.verify.search import all, check_rule

__all__ = [
    "Check",
    "Failure",
    "Report",
    "all",
    "assert_backward",
    "assert_gradients",
    "check",
    "check_backward",
    "check_rule",
]
