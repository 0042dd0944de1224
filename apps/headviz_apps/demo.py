"""The demo: a page on this machine that turns a photograph into a head (``headviz demo``)."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from types import FrameType
from typing import TYPE_CHECKING

from headviz.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    import gradio as gr

MAX_FILE = "40mb"
QUIET = {  # read by Gradio and its parts when they are imported: no telemetry, no version check, no history of runs
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_RUN_HISTORY": "False",
    "GRADIO_SSR_MODE": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
}
TITLE = "<h1>headviz</h1><p>A photograph becomes a head that you can turn. It stays on this machine.</p>"
LOCAL = "127.0.0.1,localhost,::1"


def build() -> gr.Blocks:
    """The page, not yet served.

    Raises:
        MissingExtraError: Gradio is not installed.
        HeadvizError: the viewer's browser module has not been built.
    """
    _prepare()
    import gradio as gr

    from headviz_apps.page import CLEAN, QUEUE, Page

    with gr.Blocks(title="headviz", analytics_enabled=False, delete_cache=CLEAN, fill_width=True) as blocks:
        gr.HTML(TITLE, elem_id="title", apply_default_css=False)
        page = Page()
        blocks.load(
            page.describe, page.model, [page.card, page.estimate], show_progress="hidden", api_visibility="private"
        )
    blocks.queue(max_size=QUEUE)
    built: gr.Blocks = blocks
    return built


def main(
    host: str = "127.0.0.1", port: int | None = None, *, share: bool = False, browser: bool = False, warm: bool = True
) -> None:
    """Serve the page until Ctrl+C or a request to end; nothing of what was uploaded stays on disk.

    Args:
        host: address to listen on; the default is reachable from this machine only.
        port: a fixed port; ``None`` takes 7860, or the next one that is free.
        share: let Gradio's servers pass the page to the internet under a public address.
        browser: open the page in the browser.
        warm: load the first model and time it on an example at the start.

    Raises:
        MissingExtraError: Gradio is not installed.
        InputError: the port is taken.
    """
    _prepare()
    with _folder(), _stoppable() as stop:
        blocks = build()
        address = _launch(blocks, host, port, share=share, browser=browser)
        sys.stdout.write(f"headviz demo: {address} (Ctrl+C ends it)\n")
        sys.stdout.flush()
        try:
            _serve(stop, warm=warm)
        finally:
            blocks.close(verbose=False)
            _free()


def _serve(stop: Stop, *, warm: bool) -> None:
    from headviz.models import registry
    from headviz_apps import make, photo

    if warm:
        make.models().warm_up(registry.names()[0], photo.examples()[0])
    stop.wait()


def _launch(blocks: gr.Blocks, host: str, port: int | None, *, share: bool, browser: bool) -> str:
    from starlette.routing import Mount
    from starlette.staticfiles import StaticFiles

    from headviz_apps import steps
    from headviz_apps.components import MOUNTS
    from headviz_apps.theme import css, theme

    folders = {**MOUNTS, steps.MOUNT: steps.folder()}
    routes = [Mount(f"/{path}", StaticFiles(directory=folder)) for path, folder in folders.items()]
    try:
        _, local, public = blocks.launch(
            server_name=host,
            server_port=port,
            share=share,
            inbrowser=browser,
            prevent_thread_lock=True,
            quiet=True,
            max_file_size=MAX_FILE,
            footer_links=[],
            enable_monitoring=False,
            mcp_server=False,
            pwa=False,
            theme=theme(),
            css=css(),
            app_kwargs={"routes": routes},
        )
    except OSError as error:
        wanted = "a port from 7860 to 7959" if port is None else f"port {port}"
        raise InputError(f"{wanted} on {host} should be free for the demo; choose another one with --port") from error
    return public or local


def _prepare() -> None:
    """What must be set before Gradio is imported."""
    if importlib.util.find_spec("gradio") is None:
        raise MissingExtraError("gradio", "demo")
    os.environ.update(QUIET)
    for name in ("NO_PROXY", "no_proxy"):  # Gradio asks itself whether it runs; that must not go through a proxy
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), LOCAL]))


@contextmanager
def _folder() -> Iterator[None]:
    """A private folder for uploads and results that goes when the demo ends."""
    with TemporaryDirectory(prefix="headviz-demo-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        yield


class Stop:
    """A wish to end. A plain flag: a handler that takes a lock can wait for the very thread it interrupted."""

    wanted = False

    def wait(self) -> None:
        """Return within a fifth of a second of the wish."""
        while not self.wanted:
            time.sleep(0.2)


@contextmanager
def _stoppable() -> Iterator[Stop]:
    """A wish that Ctrl+C and a request to end express."""
    stop = Stop()

    def on_signal(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        stop.wanted = True

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _free() -> None:
    from headviz_apps import make, photo

    make.models().close()
    photo.close_finder()


if __name__ == "__main__":
    main()
