"""What one request, and all together, may take of the server."""

from dataclasses import dataclass

BATCH = 32  # pictures that are computed together at most


@dataclass(frozen=True)
class Limits:
    """What is beyond a limit gets an answer that says so, with the status in parentheses.

    Attributes:
      connections: that are open at once (503).
      requests: at work at once: being received, decoded, waiting for the network, or computed (429).
      seconds: from a request's head to the end of its answer (504).
      head_seconds: for a request's head, from the first moment of its connection; the connection is closed.
      body_seconds: for its body (408).
      body_bytes: of a body (413).
      pixels: of a picture, as its head says, before any is decoded (413).
      pictures: of a request, 32 at most (413).
    """

    connections: int = 512
    requests: int = 64
    seconds: float = 30.0
    head_seconds: float = 10.0
    body_seconds: float = 20.0
    body_bytes: int = 20 * 2**20
    pixels: int = 50_000_000
    pictures: int = BATCH

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ValueError(f"{name} is {value}; expected a number above 0.")
        if self.pictures > BATCH:
            raise ValueError(f"pictures is {self.pictures}; expected at most {BATCH}, which are computed together.")
