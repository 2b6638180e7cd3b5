"""What training is told: one recipe for each concern, and `TrainConfig`, which is all of them."""

from jaxcnn.train.recipe.data import DataRecipe, ModelRecipe
from jaxcnn.train.recipe.devices import DevicesRecipe
from jaxcnn.train.recipe.optimization import OPTIMIZERS, OptimizationRecipe
from jaxcnn.train.recipe.run import RunRecipe
from jaxcnn.train.recipe.train import TrainConfig
from jaxcnn.train.recipe.watch import WatchRecipe

__all__ = [
    "OPTIMIZERS",
    "DataRecipe",
    "DevicesRecipe",
    "ModelRecipe",
    "OptimizationRecipe",
    "RunRecipe",
    "TrainConfig",
    "WatchRecipe",
]
