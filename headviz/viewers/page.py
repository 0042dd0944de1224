"""Viewers as one self-contained HTML page: data and code inside, nothing asked from outside, no Python needed."""

from __future__ import annotations

import base64
import functools
import gzip
import html
import json
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any

from headviz.errors import HeadvizError, InputError
from headviz.geometry.files import atomic_write
from headviz.viewers.viewer import Viewer
from headviz.viewers.wire import pack

BUNDLE = Path(__file__).parent / "web" / "dist" / "headviz.js"
THEMES = ("auto", "light", "dark")

# No outside address can be reached from the page: its own policy forbids it.
_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline' data: blob:;
 style-src 'unsafe-inline'; img-src data: blob:; connect-src data: blob:">
<meta name="generator" content="headviz">
<link rel="icon" href="data:,">
<title>$title</title>
<style>
:root { color-scheme: light dark; --page: #ffffff; --ink: #1d1f22; }
@media (prefers-color-scheme: dark) { :root { --page: #1a1c20; --ink: #eceae6; } }
:root[data-theme="light"] { color-scheme: light; --page: #ffffff; --ink: #1d1f22; }
:root[data-theme="dark"] { color-scheme: dark; --page: #1a1c20; --ink: #eceae6; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 24px 16px; max-width: 1280px; background: var(--page); color: var(--ink);
  font: 15px/1.4 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { margin: 0 0 16px; font-size: 20px; line-height: 1.2; overflow-wrap: anywhere; }
section + section { margin-top: 40px; }
@media (max-width: 480px) { body { padding: 16px 8px; } }
</style>
</head>
<body>
<main>
$heading$sections
</main>
$data
<script type="text/plain" id="module">$module</script>
<script type="module">
$loader
const { openPage } = await loadModule();
openPage($options);
</script>
</body>
</html>
""")
#: Unpacks the browser module, which travels compressed: a third of its size.
LOADER = """async function loadModule() {
  const packed = await fetch(`data:application/gzip;base64,${document.getElementById("module").textContent}`);
  const code = await new Response(packed.body.pipeThrough(new DecompressionStream("gzip"))).blob();
  const address = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  return import(address).finally(() => URL.revokeObjectURL(address));
}"""
_SECTION = Template("""<section id="viewer-$index"><noscript><p>$title: $caption</p>
<p>The picture needs JavaScript.</p></noscript></section>""")


def bundle() -> Path:
    """Path of the viewers' browser module.

    Raises:
        HeadvizError: it has not been built; the message says how to build it.
    """
    if not BUNDLE.is_file():
        raise HeadvizError(
            f"the viewers' browser module should be at {BUNDLE}; "
            f"build it: cd {BUNDLE.parent.parent} && npm ci && npm run build"
        )
    return BUNDLE


def packed_module() -> bytes:
    """The browser module, by gzip.

    Raises:
        HeadvizError: it has not been built.
    """
    return _packed_module(bundle(), bundle().stat().st_mtime_ns)


@functools.lru_cache(maxsize=1)
def _packed_module(path: Path, _changed: int) -> bytes:
    return gzip.compress(path.read_bytes(), 9, mtime=0)


def module_text() -> str:
    """The browser module as a page carries it: gzip, base64."""
    return base64.b64encode(packed_module()).decode("ascii")


def page(viewers: Sequence[Viewer], *, title: str = "", theme: str = "auto", note: str = "") -> str:
    """Viewers below each other as the text of one page; see :func:`write_page`."""
    if not viewers:
        raise InputError("a page should have at least one viewer; there is none")
    heading = title or (viewers[0].title if len(viewers) == 1 else "")  # several viewers have headings of their own
    title = title or viewers[0].title or viewers[0].kind
    sections = [
        _SECTION.substitute(index=k, title=html.escape(one.title or one.kind), caption=html.escape(one.caption))
        for k, one in enumerate(viewers)
    ]
    data = [
        f'<script type="text/plain" id="data-{index}">{base64.b64encode(packed(viewer)).decode("ascii")}</script>'
        for index, viewer in enumerate(viewers)
    ]
    options = {
        "theme": theme,
        "note": note,
        "viewers": [options_of(viewer) | ({} if len(viewers) > 1 else {"title": ""}) for viewer in viewers],
    }
    return _PAGE.substitute(
        title=html.escape(title),
        heading=f"<h1>{html.escape(heading)}</h1>\n" if heading else "",
        sections="\n".join(sections),
        data="\n".join(data),
        module=module_text(),
        loader=LOADER,
        options=json.dumps(options).replace("<", "\\u003c"),
    )


def options_of(viewer: Viewer) -> dict[str, Any]:
    """What the browser is told beside the record and the state."""
    return {"title": viewer.title, "link": viewer.link, "module": viewer.module_text()}


def packed(viewer: Viewer, *, level: int = 6) -> bytes:
    """A viewer's record and state as the browser gets them."""
    return pack(viewer.record, viewer.state.plain(), precision=viewer.precision, level=level)


def write_page(
    path: Path | str, viewers: Sequence[Viewer], *, title: str = "", linked: bool = True, theme: str = "auto"
) -> Path:
    """Write viewers below each other into one HTML file that opens from disk and works without Python.

    Args:
        path: the file.
        viewers: at least one.
        title: heading of the page; the first viewer's by default.
        linked: whether viewers of the page that have no link of their own share camera and cursor.
        theme: ``"auto"`` follows the system; or ``"light"``, ``"dark"``.

    Raises:
        InputError: there is no viewer, or no such theme.
        OutputError: the file cannot be written.
        HeadvizError: the browser module has not been built.
    """
    if theme not in THEMES:
        raise InputError(f"theme should be one of {', '.join(THEMES)}; it is {theme!r}")
    shared = [
        viewer.linked("page") if linked and len(viewers) > 1 and viewer.link is None else viewer for viewer in viewers
    ]
    text = page(shared, title=title, theme=theme)
    with atomic_write(path) as file:
        file.write(text.encode("utf-8"))
    return Path(path)
