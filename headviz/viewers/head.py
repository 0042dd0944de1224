"""The head viewer: where its browser module is, and a head as one self-contained HTML page."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Mapping
from string import Template

from headviz.viewers.page import LOADER, module_text

# No outside address can be reached from the page: its own policy forbids it.
_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline' data: blob:;
 style-src 'unsafe-inline'; img-src data: blob:; connect-src data: blob:">
<link rel="icon" href="data:,">
<title>$title</title>
<style>
:root { color-scheme: light dark; --page: #ffffff; --ink: #1d1f22; }
@media (prefers-color-scheme: dark) { :root { --page: #1a1c20; --ink: #eceae6; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 24px 16px; max-width: 1120px; background: var(--page); color: var(--ink);
  font: 15px/1.4 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { margin: 0 0 16px; font-size: 20px; line-height: 1.2; overflow-wrap: anywhere; }
</style>
</head>
<body>
<main>
<h1>$title</h1>
<div id="head"><noscript>The 3-D picture needs JavaScript. $caption</noscript></div>
</main>
<script type="application/json" id="content">$content</script>
<script type="text/plain" id="glb">$glb</script>
<script type="text/plain" id="module">$module</script>
<script type="module">
$loader
const { mountHead } = await loadModule();
const text = (id) => document.getElementById(id).textContent;
const glb = Uint8Array.from(atob(text("glb")), (letter) => letter.charCodeAt(0));
window.head = mountHead(document.getElementById("head"), { glb, ...JSON.parse(text("content")) });
</script>
</body>
</html>
""")


def head_page(glb: bytes, title: str, caption: str, expression: Mapping[str, float]) -> str:
    """A head as one HTML page that opens from disk and asks for nothing outside itself.

    Args:
        glb: the head, as :func:`headviz.geometry.files.write_glb` writes it.
        title: heading of the page.
        caption: ends the line below the picture, after the viewer's own numbers.
        expression: morph values of the photograph, by ARKit name; the page starts with them.

    Raises:
        ValueError: ``glb`` is not a binary glTF file.
        HeadvizError: the viewer's browser module has not been built.
    """
    if glb[:4] != b"glTF":
        raise ValueError(f"glb should begin with b'glTF'; it begins with {glb[:4]!r}")
    content = {
        "expression": {name: float(value) for name, value in expression.items()},
        "note": caption,
        "label": title,
    }
    return _PAGE.substitute(
        title=html.escape(title),
        caption=html.escape(caption),
        content=json.dumps(content).replace("<", "\\u003c"),
        glb=base64.b64encode(glb).decode("ascii"),
        module=module_text(),
        loader=LOADER,
    )
