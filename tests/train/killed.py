"""`python -m tests.train.killed ...` is `jaxcnn train ...` that waits, and says so, within its second epoch."""

import sys
import time

import tyro

from jaxcnn.cli.train import TrainOptions
from jaxcnn.train.epochs import Watcher
from jaxcnn.train.loop import train
from tests.train.tiny import STEPS


class Waits(Watcher):
    def step_done(self, step, metrics):
        if step == STEPS + 4:
            print("reached", flush=True)
            time.sleep(60)


if __name__ == "__main__":
    train(tyro.cli(TrainOptions, args=sys.argv[1:]).config(), Waits())
