"""Typed errors: each names what was expected, what came, and what to do next."""

from __future__ import annotations


class HeadvizError(Exception):
    """Base class of every error that headviz raises on purpose."""


class InputError(HeadvizError):
    """The input cannot be used. The command line prints the message and exits with code 2."""


class PictureError(InputError):
    """A file is not a picture that can be read, or it exceeds a limit."""


class NoFaceError(InputError):
    """No face was found where one was looked for."""


class FaceTooSmallError(InputError):
    """A face was found, but with too few pixels to reconstruct a head from it."""


class OutputError(InputError):
    """A result cannot be written where it was asked for."""


class MissingExtraError(HeadvizError):
    """An optional dependency is not installed.

    Args:
        package: the import name that is missing.
        extra: the extra of headviz that brings it.
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed; run: pip install 'headviz[{extra}]'")
        self.package = package
        self.extra = extra
