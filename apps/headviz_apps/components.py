"""The page's own Gradio components: a photograph, its crop box, the head in 3-D, downloads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import FileData

from headviz.errors import InputError
from headviz.viewers.page import bundle

WEB = Path(__file__).parent / "web"
MOUNTS = {"headviz/apps": WEB, "headviz/viewers": bundle().parent}  #: addresses below the page, and their folders

_BIND = """
const at = (path) => new URL(path, document.baseURI).href;
import(at("%(module)s")).then(({ %(name)s: bind }) => bind({ element, props, watch, module: at("%(head)s") }));
"""

_MOUNT = '<div class="hv-mount"></div>'
_DOWNLOADS = """<ul class="hv-downloads">{{#each value}}<li><a href="{{this.file.url}}" download="{{this.name}}">
<b>{{this.what}}</b><span>{{this.name}} · {{this.size}}</span></a></li>{{/each}}</ul>"""


def _address(mount: str, name: str) -> str:
    """Address of one of our modules, with its age, so that a browser never keeps an old one."""
    return f"{mount}/{name}?{int((MOUNTS[mount] / name).stat().st_mtime)}"


def _bind(name: str) -> str:
    addresses = {"module": _address("headviz/apps", "bind.js"), "head": _address("headviz/viewers", "headviz.js")}
    return _BIND % {"name": name, **addresses}


def served(path: Path) -> dict[str, Any]:
    """A file in the form in which a component's value hands it to the browser."""
    return FileData(path=str(path), orig_name=path.name).model_dump()


def photo_input(**options: Any) -> gr.Image:
    """Upload, webcam and clipboard. Listen with ``preprocess=False`` and read the value with ``uploaded``."""
    return gr.Image(type="filepath", image_mode=None, sources=["upload", "webcam", "clipboard"], **options)


def uploaded(payload: dict[str, Any], component: gr.Image) -> Path:
    """The file that a photograph input holds, as it came: headviz's own loader judges it, not Gradio's.

    Raises:
        InputError: the browser names a file that was not uploaded to this page.
    """
    path = Path(payload["path"]).resolve()
    if not path.is_relative_to(Path(component.GRADIO_CACHE).resolve()):
        raise InputError("the photograph should be uploaded to this page; choose it again")
    return path


def crop_box(**options: Any) -> gr.HTML:
    """A photograph with its faces and one crop box; the value is what ``photo.crop_value`` makes."""
    return gr.HTML(html_template=_MOUNT, js_on_load=_bind("bindCrop"), apply_default_css=False, **options)


def head_view(**options: Any) -> gr.HTML:
    """A head in 3-D; the value holds ``glb`` (a served file), ``expression`` and ``note``."""
    return gr.HTML(html_template=_MOUNT, js_on_load=_bind("bindHead"), apply_default_css=False, **options)


def steps_link(**options: Any) -> gr.HTML:
    """A link to the page of the steps; the value holds its ``url``, or nothing while there is none."""
    return gr.HTML(html_template=_MOUNT, js_on_load=_bind("bindSteps"), apply_default_css=False, **options)


def downloads(**options: Any) -> gr.HTML:
    """Links to files; the value is a list of ``{"file": served file, "name", "what", "size"}``."""
    return gr.HTML(value=[], html_template=_DOWNLOADS, js_on_load=None, apply_default_css=False, **options)
