"""`jaxcnn serve`: a trained network to talk to in the browser, and by an API."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from jaxcnn.cli.streams import print_line


@dataclass(frozen=True)
class ServeOptions:
    """Serve a network: a page to talk to it, and an API.
    $ jaxcnn serve runs/digits-lenet5

    Prints its address, where /docs describes the API. Ctrl-C ends it.
    """

    run: tyro.conf.Positional[Path]
    """The run folder; or a model folder, from jaxcnn import, RUN/model/last, or a copy of it."""
    checkpoint: Literal["last", "best"] = "last"
    """Of a run. last: after the last epoch or Ctrl-C; best: of the best epoch, by the highest accuracy or --best-by."""
    host: str = "127.0.0.1"
    """The name or address to listen at. This one is reached from this machine only; 0.0.0.0 is all that it has."""
    port: int = 8000
    """0: any that is free."""
    allow_host: tuple[str, ...] = ()
    """Further names by which the server is asked, such as that of a proxy in front of it. Requests for other names are
    refused, so that no other site's page can ask."""
    requests: int = 64
    """How many may be at work at once; what comes beyond them is answered with 429."""
    seconds: float = 30.0
    """The most that a request may take; then it is answered with 504."""
    max_megabytes: float = 20.0
    """Of a request's body; a larger one is answered with 413."""
    max_megapixels: float = 50.0
    """Of a picture, before it is resized; a larger one is answered with 413."""


def run(options: ServeOptions) -> int:
    """Serve until a signal; returns 0. Raises ValueError for a model or an address that there is not."""
    from jaxcnn.cli.console import Console

    try:
        from jaxcnn.serve import Limits, create_app, serve
        from jaxcnn.serve.guard import is_loopback
        from jaxcnn.serve.limits import BATCH
        from jaxcnn.serve.server import address, bound
    except ModuleNotFoundError as error:
        raise ValueError('jaxcnn serve needs FastAPI and uvicorn: pip install "jaxcnn[serve]".') from error
    from jaxcnn.train.model_folder import load_model

    _check(options)
    limits = Limits(
        requests=options.requests,
        seconds=options.seconds,
        body_bytes=int(options.max_megabytes * 2**20),
        pixels=int(options.max_megapixels * 1e6),
    )
    model = load_model(options.run, options.checkpoint)
    with bound(options.host, options.port) as listening:
        if not is_loopback(options.host):
            print_line("warning", f"--host {options.host}: whoever reaches this machine can ask; there is no password.")
        network = f"{model.card.network}, for batches of up to {BATCH} pictures"
        Console(soft_wrap=True, stderr=True).print(f"compiling {network}")
        app = create_app(model, limits=limits, host=options.host, allowed=options.allow_host)
        serve(app, listening, limits, lambda: print(f"address {address(options.host, listening)}", flush=True))
    return 0


def _check(options: ServeOptions) -> None:
    """Raises ValueError for numbers that make no sense."""
    if not 0 <= options.port <= 65535:
        raise ValueError(f"--port is {options.port}; expected 0 to 65535.")
    for name in ("requests", "seconds", "max_megabytes", "max_megapixels"):
        value = getattr(options, name)
        if not 0 < value < math.inf:
            raise ValueError(f"--{name.replace('_', '-')} is {value}; expected a number above 0.")
