"""A trained network as a server: a page to talk to it in the browser, and an API in JSON."""

from jaxcnn.serve.app import create_app
from jaxcnn.serve.limits import Limits
from jaxcnn.serve.server import serve

__all__ = ["Limits", "create_app", "serve"]
