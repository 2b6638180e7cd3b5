"""A server of few connections and little time for each request: `python -m tests.serve.impatient RUN`."""

import sys

import tests.train.tiny  # noqa: F401  (the network "tiny")
from jaxcnn import load_model
from jaxcnn.serve import Limits, create_app, serve
from jaxcnn.serve.server import address, bound

if __name__ == "__main__":
    limits = Limits(connections=4, seconds=1, head_seconds=0.5, body_seconds=0.5)
    with bound("127.0.0.1", 0) as listening:
        app = create_app(load_model(sys.argv[1]), limits=limits)
        serve(app, listening, limits, lambda: print("address", address("127.0.0.1", listening), flush=True))
