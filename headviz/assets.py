"""Where the packaged files are, in a checkout and in an installed wheel."""

from __future__ import annotations

from pathlib import Path

_INSTALLED = Path(__file__).parent / "_assets"
_CHECKOUT = Path(__file__).parent.parent / "assets"


def folder() -> Path:
    """The folder of the packaged files."""
    return _INSTALLED if _INSTALLED.is_dir() else _CHECKOUT


def path(name: str) -> Path:
    """Path of a packaged file.

    Args:
        name: path relative to the assets folder, such as ``"heads/head.safetensors"``.

    Raises:
        FileNotFoundError: there is no such file; the message says where it was looked for.
    """
    found = folder() / name
    if not found.is_file():
        raise FileNotFoundError(f"asset {name!r} should be at {found}; reinstall headviz or restore the file")
    return found
