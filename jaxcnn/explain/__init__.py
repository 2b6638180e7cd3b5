"""What a network looks at: pure functions of (network, params, state, x, classes)."""

from jaxcnn.explain.feature_visualisation import feature_visualisation
from jaxcnn.explain.grad_cam import grad_cam, grad_cam_plus_plus
from jaxcnn.explain.guided_backprop import deconvnet, guided_backprop
from jaxcnn.explain.integrated_gradients import IntegratedGradients, integrated_gradients
from jaxcnn.explain.nearest import Nearest, embed, nearest
from jaxcnn.explain.occlusion import occlusion
from jaxcnn.explain.overlay import heat, overlay
from jaxcnn.explain.saliency import saliency
from jaxcnn.explain.smooth_grad import smooth_grad

__all__ = [
    "IntegratedGradients",
    "Nearest",
    "deconvnet",
    "embed",
    "feature_visualisation",
    "grad_cam",
    "grad_cam_plus_plus",
    "guided_backprop",
    "heat",
    "integrated_gradients",
    "nearest",
    "occlusion",
    "overlay",
    "saliency",
    "smooth_grad",
]
