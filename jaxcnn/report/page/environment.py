"""With what a run was trained, and with what its page was made."""

from jaxcnn.report.machine import machine
from jaxcnn.report.page.trained import Trained


def environment(trained: Trained) -> list[tuple[str, str]]:
    """What there is to tell, each under a name: of training what model.json says, of the page what is here now."""
    told = []
    if trained.model is not None:
        card = trained.model.card
        told.append(("trained with", f"jaxcnn {card.jaxcnn}, JAX {card.jax}"))
        told.append(("weights", f"{card.title}, epoch {card.epoch}"))
    here = machine()
    versions = ", ".join(f"{name} {version}" for name, version in here.versions.items())
    cores = f"{here.cores} core{'s' if here.cores > 1 else ''}"
    on = here.processor if here.device == here.processor else f"{here.device}, {here.processor}"
    return [*told, ("page made with", versions), ("page made on", f"{on}, {cores}"), ("page made at", here.date)]
