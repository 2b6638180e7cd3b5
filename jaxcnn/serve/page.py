"""The page that one talks to the network by."""

from jinja2 import Template

from jaxcnn.report.explained import AT_A_LAYER, METHODS
from jaxcnn.report.templating import environment
from jaxcnn.serve.service import Service
from jaxcnn.serve.uploads import FORMATS

SAYS = {
    "gradcam": "Grad-CAM",
    "gradcam++": "Grad-CAM++",
    "guided": "guided backpropagation",
    "deconvnet": "deconvnet",
    "saliency": "saliency",
    "integrated": "integrated gradients",
    "smoothgrad": "SmoothGrad",
    "occlusion": "occlusion",
}


def page(service: Service) -> str:
    """The HTML of the page; its script is a file beside it."""
    card = service.model.card
    height, width, channels = service.model.image_shape
    with_places = [layer for layer in service.layers if len(layer.shape) == 3 and layer.shape[:2] != [1, 1]]
    return _template("page.html").render(
        card=card,
        height=height,
        width=width,
        channels=channels,
        classes=service.classes,
        layers=[layer for layer in service.layers if layer.shape],
        with_places=with_places,
        methods=[(name, SAYS[name], name in AT_A_LAYER) for name in METHODS if with_places or name not in AT_A_LAYER],
        method="gradcam" if with_places else "saliency",
        types=",".join(FORMATS.values()),
        limits=service.limits,
        mean_colour=_mean_colour(card.mean),
        light_on_dark=sum(card.mean) / len(card.mean) < 0.5,
    )


def _mean_colour(mean: tuple[float, ...]) -> str:
    """The training set's mean pixel as a colour of CSS."""
    red, green, blue = (round(255 * share) for share in (mean if len(mean) == 3 else 3 * mean[:1]))
    return f"rgb({red} {green} {blue})"


def style() -> str:
    """The page's style sheet, with what all pages share."""
    return _template("style.css").render()


def _template(name: str) -> Template:
    return environment("jaxcnn.serve", "templates").get_template(name)
