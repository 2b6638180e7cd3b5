"""Images of other sizes: resized, sampled at places that a grid names, channels rearranged into space."""

from jaxcnn.ops.resize.grid_sample import affine_grid, grid_sample
from jaxcnn.ops.resize.interpolate import resize_bicubic, resize_bilinear
from jaxcnn.ops.resize.nearest import resize_nearest
from jaxcnn.ops.resize.pixel_shuffle import pixel_shuffle, pixel_unshuffle

__all__ = [
    "affine_grid",
    "grid_sample",
    "pixel_shuffle",
    "pixel_unshuffle",
    "resize_bicubic",
    "resize_bilinear",
    "resize_nearest",
]
