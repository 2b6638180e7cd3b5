"""When a run saves and when it stops."""

import time

from jaxcnn.train import hosts
from jaxcnn.train.epochs import Wish
from jaxcnn.train.interrupt import Interrupt
from jaxcnn.train.recipe import RunRecipe

_WISHES: tuple[Wish, ...] = ("go on", "save", "stop")


class Clock:
    """Whether the loop is to stop, for a signal came or the time is over, or to save. By a clock that is never set."""

    def __init__(self, config: RunRecipe, interrupt: Interrupt) -> None:
        self._interrupt, self._every, self._agreed = interrupt, config.seconds("save_every"), hosts.Agreement()
        self._end = time.monotonic() + config.seconds("max_time")
        self.saved()

    def saved(self) -> None:
        self._due = time.monotonic() + self._every

    def wish(self) -> Wish:
        """Of several processes all wish the same: what the first does, and to stop where a signal came to any."""
        if not hosts.several():
            return self._own_wish()
        wish = _WISHES.index(self._own_wish())
        agreed = self._agreed(wish, self._interrupt.exit_code)
        if agreed is None:
            return "go on"
        wish, exit_code = agreed
        if exit_code:  # of whichever process heard a signal
            self._interrupt.requested, self._interrupt.exit_code = True, exit_code
        return _WISHES[wish]

    def _own_wish(self) -> Wish:
        now = time.monotonic()
        if self._interrupt.requested or now >= self._end:
            return "stop"
        return "save" if now >= self._due else "go on"
