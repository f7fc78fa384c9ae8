"""The site of this folder: `make docs`. Nothing is fetched while it is built."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for the module that writes the reference of commands

import commands_page

project = "crossres"
author = "the authors of crossres"
release = re.search(r'^version = "(.+)"', (Path(__file__).parents[1] / "pyproject.toml").read_text(), re.M)[1]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton", "sphinx_design"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

# Docstrings write code between single backticks.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
# Types of other packages have no page here, and their sites are not asked for one.
nitpick_ignore_regex = [("py:.*", r".*")]

html_theme = "pydata_sphinx_theme"
html_title = "crossres"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
html_theme_options = {
    "logo": {"text": "crossres"},
    "navbar_align": "left",
    "navigation_with_keys": False,
    "show_prev_next": False,
    "show_toc_level": 2,
    "footer_end": [],
}
html_sidebars = {"index": [], "glossary": []}
copybutton_exclude = ".linenos, .gp, .go"


def setup(app):
    """Fill the page of commands in from the parser of the command line, each time that it is read."""
    app.connect("source-read", commands_page.fill_in)
