"""Sphinx configuration of the site; ``docs/make_site.py`` prepares the pages and runs it."""

from __future__ import annotations

from pathlib import Path

from hwaccel import __version__

DOCS = Path(__file__).parent

project = "hwaccel"
version = release = __version__
language = "en"
extensions = ["myst_parser"]
# Anchors like those of forges, so that a link works in both places.
myst_heading_anchors = 4
# A block without a language is a drawing or a formula.
highlight_language = "text"

html_theme = "furo"
html_title = f"hwaccel {__version__}"
html_static_path = [str(DOCS / "site")]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_last_updated_fmt = None
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#0b6b57",
        "color-brand-content": "#0b6b57",
        "color-brand-visited": "#0b6b57",
    },
    "dark_css_variables": {
        "color-brand-primary": "#5ed3b5",
        "color-brand-content": "#5ed3b5",
        "color-brand-visited": "#5ed3b5",
    },
}
