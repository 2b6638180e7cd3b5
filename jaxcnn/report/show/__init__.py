"""An operation's page: its forward and backward on small arrays, made by running the rule, and its derivation."""

from jaxcnn.report.show.page import GENERATOR, page

__all__ = ["GENERATOR", "page"]
