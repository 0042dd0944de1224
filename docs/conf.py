"""How Sphinx builds the site (`make docs`). Neither building nor reading it needs a network."""

from __future__ import annotations

import html
import re
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from headviz import __version__

if TYPE_CHECKING:
    from sphinx.application import Sphinx

HERE = Path(__file__).parent
logger = logging.getLogger(__name__)

project = "headviz"
author = copyright = "headviz contributors"  # noqa: A001
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "**/.*", "**/README.md"]
source_suffix = {".md": "markdown"}
myst_enable_extensions = ["colon_fence", "attrs_inline"]
myst_heading_anchors = 3
# The repository's files are not part of the site.
myst_links_external_new_tab = True

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "mixed"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True}
napoleon_numpy_docstring = False
napoleon_use_ivar = True
python_maximum_signature_line_length = 88
# Types of other libraries and shapes of jaxtyping's have no page here.
nitpicky = True
nitpick_ignore_regex = [(r"py:.*", r".*")]

html_theme = "furo"
pygments_dark_style = "a11y-high-contrast-dark"
html_title = "headviz"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {
        "color-background-primary": "#ffffff",
        "color-background-secondary": "#f6f5f2",
        "color-brand-primary": "#00588c",
        "color-brand-content": "#00588c",
    },
    "dark_css_variables": {
        "color-background-primary": "#15171a",
        "color-background-secondary": "#1d1f22",
        "color-brand-primary": "#6cb6e4",
        "color-brand-content": "#6cb6e4",
    },
}


def mend(_app: Sphinx, _kind: str, _name: str, _object: object, _options: object, lines: list[str]) -> None:
    """Say in reStructuredText what docstrings mean: ``|f|`` is no substitution, ``width, height:`` two names."""
    for number, line in enumerate(lines):
        line = re.sub(r"^(:ivar \w+), (?=\w+:)", r"\1,", line)  # else the first name is taken for a type
        if line.startswith(":vartype"):
            line = line.replace("*", r"\*")  # of shapes, such as *b h w
        parts = re.split(r"(`[^`]*`)", line)  # literals are at the odd places
        lines[number] = "".join(
            part if odd else part.replace("|", r"\|") for odd, part in zip(cycle((0, 1)), parts, strict=False)
        )


class Viewer(SphinxDirective):
    """A live viewer in a page: `:::{viewer} NAME` shows `_static/viewers/NAME.html`, which `make docs` writes.

    Options are `:title:`, for screen readers and the link, and `:height:` in pixels.
    """

    required_arguments = 1
    option_spec: ClassVar[dict[str, object]] = {
        "title": directives.unchanged,
        "height": directives.positive_int,
    }

    def run(self) -> list[nodes.Node]:
        """The frame, and a link that opens the viewer alone."""
        name = self.arguments[0]
        if not re.fullmatch(r"[a-z0-9-]+", name):
            raise self.error(f"a viewer's name should be lower-case letters, digits and hyphens; it is {name!r}")
        page = HERE / "_static" / "viewers" / f"{name}.html"
        self.env.note_dependency(str(page))
        if not page.is_file():
            logger.warning(
                "the viewer %r has no page: docs/make_pages.py should write %s", name, page.relative_to(HERE),
                location=self.get_location(), type="headviz", subtype="viewer",
            )  # fmt: skip
            text = nodes.paragraph("", f"The viewer “{name}” appears here after ", nodes.literal(text="make docs"))
            return [nodes.note("", text)]
        address = f"{'../' * self.env.docname.count('/')}_static/viewers/{name}.html"
        title = html.escape(self.options.get("title", f"Viewer: {name}"), quote=True)
        style = f' style="height: {self.options["height"]}px"' if "height" in self.options else ""
        text = (
            f'<div class="viewer"><iframe src="{address}" title="{title}" loading="lazy"{style}></iframe>'
            f'<p><a href="{address}">Open alone</a><span class="size"> · {page.stat().st_size / 1e6:.1f} MB, one file, '
            "works without a network</span></p></div>"
        )
        return [nodes.raw("", text, format="html")]


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.add_directive("viewer", Viewer)
    app.connect("autodoc-process-docstring", mend)
