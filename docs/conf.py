"""The documentation: `make docs` builds it into build/docs, which works without a network."""

import sys
from pathlib import Path

import matplotlib

DOCS = Path(__file__).parent
SCROLL = DOCS.parent / "jaxcnn/report/templates/scroll.js"
sys.path[:0] = [str(DOCS), str(DOCS.parent)]  # the extension, and the jaxcnn that is documented

project = "jaxcnn"
html_title = "jaxcnn"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode", "extension.site"]
exclude_patterns = ["extension"]
html_theme = "furo"
# Formulas in a font for mathematics, also where the reader's system has none.
html_static_path = ["static", str(SCROLL), f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSerif.ttf"]
html_css_files = ["jaxcnn.css"]
html_js_files = [SCROLL.name]
html_math_renderer = "mathml"  # the extension's: no script, no font
smartquotes = False  # much that is quoted is code
html_copy_source = False
html_show_search_summary = False  # it fetches pages, which a browser does not do from a folder
html_show_copyright = False
html_last_updated_fmt = None

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]  # a page may include one that begins with a smaller heading

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 80
add_module_names = False
