"""Which devices and processes a run computes on."""

from dataclasses import dataclass
from typing import Annotated

from jaxcnn.train.recipe.option import Recipe, unset


@dataclass(frozen=True)
class DevicesRecipe(Recipe):
    """The devices that share a batch, and the processes that hold them."""

    devices: Annotated[int | None, unset("INT", "all GPUs or TPUs; one CPU for each process")] = None
    """Devices, of all processes together, that a batch is cut over. On a CPU they are simulated."""
    shard_params: bool = False
    """Cut parameters, optimizer state and average over the devices as well (FSDP): each keeps its part of them, and
    they are put together for a step."""
    coordinator: Annotated[str | None, unset("HOST:PORT", "as Slurm or Kubernetes say, else one process")] = None
    """Where process 0 listens, for a run of several processes; the same in all of them."""
    num_processes: Annotated[int | None, unset("INT", "as Slurm or Kubernetes say, else 1")] = None
    """How many processes the run has; 1 leaves out what Slurm or Kubernetes say."""
    process_id: Annotated[int | None, unset("INT", "as Slurm or Kubernetes say")] = None
    """Which one this is, from 0. It alone prints, and writes the run folder, which all must see."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.need("devices", self.devices is None or self.devices >= 1, "expected 1 or more")
        self.need("num_processes", self.num_processes is None or self.num_processes >= 1, "expected 1 or more")
        names = ("coordinator", "num_processes", "process_id")
        lacking = [name for name in names if getattr(self, name) is None]
        if self.num_processes != 1 and 0 < len(lacking) < 3:
            given = next(name for name in names if name not in lacking)
            raise self.wrong(
                given, f"expected {' and '.join(f'{name}=' for name in lacking)} beside it, or none of these"
            )
        if self.coordinator is not None:
            host, _, port = self.coordinator.rpartition(":")
            right = bool(host) and port.isdecimal() and 0 < int(port) < 65536
            self.need("coordinator", right, "expected a host and a port, such as 10.0.0.1:9876")
        if self.process_id is not None and self.num_processes is not None:
            self.need(
                "process_id", 0 <= self.process_id < self.num_processes, f"expected 0 to {self.num_processes - 1}"
            )
        if self.devices is not None and self.num_processes is not None and self.devices % self.num_processes:
            raise self.wrong("devices", f"expected a multiple of num_processes, which is {self.num_processes}")
