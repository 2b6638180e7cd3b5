"""How pages are written: from templates that escape what they are given, and fail where they are not given it."""

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined


def environment(package: str, folder: str) -> Environment:
    """The templates in a folder of a package, such as "templates/show" of "jaxcnn.report", and those of all pages.

    Those of all pages lie in report/templates: base.css is what they look like.
    """
    return Environment(
        loader=ChoiceLoader([PackageLoader(package, folder), PackageLoader("jaxcnn.report", "templates")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
