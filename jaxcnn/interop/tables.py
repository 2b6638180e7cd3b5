"""Which table knows a network's names, by the name of the network."""

from collections.abc import Mapping

import numpy as np

from jaxcnn.interop import own
from jaxcnn.interop.names import Table, convnext, densenet, efficientnet, mobilenet, resnet, squeezenet, vgg
from jaxcnn.models import MODELS

FAMILIES: dict[str, Mapping[str, Table]] = {
    "fcn_resnet": resnet.FCN_TABLES,
    "keras_resnet": resnet.KERAS_TABLES,
    "resnet": resnet.TABLES,
    "resnext": resnet.TABLES,
    "wide_resnet": resnet.TABLES,
    **dict.fromkeys(("vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn"), vgg.NORM_TABLES),
    "vgg": vgg.TABLES,
    "densenet": densenet.TABLES,
    "keras_densenet": densenet.KERAS_TABLES,
    "squeezenet": squeezenet.TABLES,
    "mobilenet_v2": mobilenet.V2_TABLES,
    "mobilenet_v3": mobilenet.V3_TABLES,
    "mobilenetv3": mobilenet.TIMM_V3_TABLES,
    "tf_mobilenet_v2": mobilenet.TF_V2_TABLES,
    "tf_mobilenetv3": mobilenet.TF_V3_TABLES,
    "efficientnet_lite": efficientnet.LITE_TABLES,
    "efficientnet": efficientnet.TABLES,
    "tf_efficientnet": efficientnet.TF_TABLES,
    "convnext": convnext.TABLES,
}


def tables(name: str) -> Mapping[str, Table]:
    """The tables of a network's family. Raises ValueError for one that no other library has."""
    for family, found in FAMILIES.items():
        if name.startswith(family):
            return found
    raise ValueError(f"model is {name!r}; no other library's names are known for it, only of {', '.join(FAMILIES)}.")


def tables_for(name: str, arrays: Mapping[str, np.ndarray]) -> Mapping[str, Table]:
    """The tables by one of which these arrays of the network are called. Raises as `tables`."""
    return {"jaxcnn": own.TABLE} if own.is_ours(arrays) and name in MODELS else tables(name)


def table_of(name: str, library: str) -> Table:
    """A library's table of a network, whatever the case of its name. Raises ValueError where it does not have it."""
    known = tables(name)
    for libraries, table in known.items():
        if _plain(library) in map(_plain, libraries.split(" and ")):
            return table
    names = ", ".join(_plain(each) for libraries in known for each in libraries.split(" and "))
    raise ValueError(f"{library!r} has no names for {name}; known are those of {names}.")


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name.lower()))
