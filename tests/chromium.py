"""The system's Chromium and how it is started: headless, WebGL in software, no talk with the outside."""

from __future__ import annotations

import shutil

FLAGS = [
    "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist",
    "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
]  # fmt: skip


def find_chromium() -> str | None:
    """Path of the browser, or ``None``."""
    found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    return next((path for path in found if path), None)
