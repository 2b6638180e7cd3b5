"""What a network's meaning depends on beside its weights."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DatasetFacts:
    """Of the dataset that a network was trained on; mean and std are per channel, of pixels scaled to 0..1."""

    name: str
    classes: tuple[str, ...]
    image_shape: tuple[int, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.image_shape) != 3 or min(self.image_shape) < 1:
            raise ValueError(f"image_shape is {self.image_shape}; expected height, width and channels, 1 or more each.")
        channels = self.image_shape[-1]
        if len(self.mean) != channels or len(self.std) != channels or min(self.std) <= 0:
            raise ValueError(
                f"mean is {self.mean} and std {self.std}; expected one for each channel ({channels}), std above 0."
            )
