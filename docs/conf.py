"""The site: `nox -s docs`. Pages are Markdown, the API is docstrings."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # `gallery`, beside this file

project = "zeroflux"
author = copyright = "The zeroflux developers"
version = release = version_of("zeroflux")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "gallery",
]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
napoleon_google_docstring = False
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"
copybutton_exclude = ".linenos, .gp, .go"
nitpicky = False  # types of NumPy and ASE have no page here

html_theme = "furo"
html_title = "zeroflux"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b5fa5", "color-brand-content": "#0b5fa5"},
    "dark_css_variables": {"color-brand-primary": "#6cb6ff", "color-brand-content": "#6cb6ff"},
}


def _of_attribute(_app, what, name, _object, _options, lines, *, kept={}):  # noqa: B006
    """Keep napoleon from reading "kinetic: of the basin" of an attribute as a type."""
    if what == "module":
        lines.clear()  # the page has its own introduction
    elif what in ("attribute", "property"):
        lines[:] = kept.setdefault(name, list(lines))


def setup(app):
    for priority in (100, 900):  # before and after napoleon
        app.connect("autodoc-process-docstring", _of_attribute, priority=priority)
