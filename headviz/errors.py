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


class OptionError(InputError, ValueError):
    """A choice was made that does not exist."""


class ShapeError(InputError, ValueError):
    """An array has another shape than the one that is asked for."""


class FieldError(InputError, ValueError):
    """A field returned something that is not a finite value per point."""


class BoundsError(InputError, ValueError):
    """A field has no finite box to look in, or the box given is not one."""


class ResolutionError(InputError, ValueError):
    """A resolution is not a positive number of cells, or the grid would not fit into memory."""


class EmptySurfaceError(InputError, ValueError):
    """There is no surface: the field does not change its sign where it was looked at."""


class RayError(InputError, ValueError):
    """A ray has no direction, is not finite, or ends before it begins."""


class MeshError(InputError, ValueError):
    """A mesh cannot be used: it has no faces, or vertices that are not finite."""


class GradientError(HeadvizError, ArithmeticError):
    """A gradient is not finite: the message says of what, and where it came from."""


class CameraError(InputError, ValueError):
    """A camera cannot be used: its numbers are not finite, or its focal length is not positive."""


class LightError(InputError, ValueError):
    """Light cannot be used: its numbers are not finite, or there are not as many as pictures."""


class ExpressionError(InputError, ValueError):
    """A text is not an expression that describes a shape."""


class SessionError(InputError, ValueError):
    """A sculpting session cannot be read, replayed or kept: the message says what to do."""


class RecordError(InputError, ValueError):
    """A file or an object is no record that a viewer can draw, or is from a newer headviz."""


class SurfaceWarning(UserWarning):
    """A surface was found, but something about it should be known, such as that it leaves the box."""


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
