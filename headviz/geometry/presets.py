"""Shapes with a name, of the size of a head."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from types import MappingProxyType

from headviz.errors import FieldError
from headviz.geometry.shape import Shape
from headviz.geometry.shapes import Box, Capsule, Cone, Cylinder, Ellipsoid, Plane, RoundedCone, Sphere, Torus
from headviz.geometry.shapes2d import Circle, Ellipse, Polygon, Rectangle, Ring


def head() -> Shape:
    """A stylised head of about twenty primitives: 0.29 m high with its neck, facing +z, mirror symmetric in x.

    It is composed as one would model it in clay: a rough mass, features added, hollows carved, details on top. The
    radii of its ellipsoids differ by less than half, so its Lipschitz constant is that of a distance, 1.
    """
    skull = Ellipsoid((0.075, 0.082, 0.092), (0.0, 0.043, -0.012))
    face = Ellipsoid((0.061, 0.078, 0.064), (0.0, -0.020, 0.022))
    jaw = RoundedCone((0.034, -0.054, 0.004), (0.011, -0.088, 0.056), 0.022, 0.017)
    neck = RoundedCone((0.0, -0.050, -0.024), (0.0, -0.155, -0.032), 0.043, 0.053)
    chin = Sphere(0.014, (0.0, -0.092, 0.067))
    cheek = Sphere(0.024, (0.035, -0.026, 0.054))
    brow = Capsule((0.018, 0.035, 0.0760), (0.042, 0.034, 0.0635), 0.006)
    mass = skull.union(face, neck, jaw, smooth=0.03).union(chin, cheek, brow, smooth=0.024)

    socket = Sphere(0.019, (0.031, 0.009, 0.097))
    bridge = RoundedCone((0.0, 0.016, 0.080), (0.0, -0.024, 0.098), 0.006, 0.011)
    wing = Sphere(0.009, (0.011, -0.028, 0.088))
    nostril = Sphere(0.004, (0.006, -0.0395, 0.095))
    nose = bridge.union(wing, smooth=0.008)
    features = mass.difference(socket, smooth=0.016).union(nose, smooth=0.014).difference(nostril, smooth=0.004)

    eye = Sphere(0.016, (0.031, 0.007, 0.0660))
    lid = Sphere(0.0180, (0.031, 0.007, 0.0655)).intersection(Plane((0.0, -0.92, 0.4), 0.0185), smooth=0.002)
    # Rings, of which only the front shows: leaning forward, their sides rise to a smile.
    upper_lip = Torus(0.025, 0.0045).rotate("x", 30).translate(0.0, -0.0465, 0.0610)
    lower_lip = Torus(0.022, 0.0055).rotate("x", 25).translate(0.0, -0.0578, 0.0605)
    ear = Torus(0.013, 0.005).rotate("z", 90).elongate(0.0, 0.018, 0.0)
    bowl = Sphere(0.019).intersection(Plane((1.0, 0.0, 0.0), 0.0), smooth=0.004)
    ear = ear.union(bowl, smooth=0.006).rotate("y", -24).rotate("x", -8).translate(0.0755, -0.002, -0.010)
    lips = upper_lip.union(lower_lip, smooth=0.002)
    details = features.union(ear, smooth=0.01).union(lips, smooth=0.006)
    half = details.union(lid, smooth=0.004).union(eye, smooth=0.0015)
    return half.mirror("x") & Plane((0.0, -1.0, 0.0), 0.165)


def double_torus() -> Shape:
    """Two rings side by side that grow into one another: a surface of Euler characteristic −2."""
    ring = Torus(0.060, 0.022).rotate("x", 90).translate(0.060, 0.0, 0.0)
    return ring.union(ring.translate(-0.120, 0.0, 0.0), smooth=0.015)


def thin() -> Shape:
    """A ball with a thin brim and a wire around it: what a search by signs loses on a coarse grid.

    The brim is 2 mm thick and the wire 3 mm, less than a third of a cell where 32 cells span the shape.
    """
    brim = Cylinder(0.105, 0.002).rotate("x", 11)
    wire = Torus(0.125, 0.0015).rotate("x", 73).rotate("y", 20)
    return Sphere(0.050) | brim | wire


def head_profile() -> Shape:
    """The head cut in half at x = 0, seen from its right: the plane's x is the head's z."""
    return head().slice("x")


#: Everything that :func:`preset` knows, in space first.
PRESETS: Mapping[str, Callable[[], Shape]] = MappingProxyType(
    {
        "head": head,
        "sphere": lambda: Sphere(0.1),
        "ellipsoid": lambda: Ellipsoid((0.08, 0.12, 0.10)),
        "box": lambda: Box((0.20, 0.16, 0.12)),
        "rounded_box": lambda: Box((0.20, 0.16, 0.12), radius=0.03),
        "torus": lambda: Torus(0.09, 0.035),
        "capsule": lambda: Capsule((0.0, -0.07, 0.0), (0.0, 0.07, 0.0), 0.06),
        "cylinder": lambda: Cylinder(0.08, 0.24),
        "cone": lambda: Cone(0.10, 0.24),
        "rounded_cone": lambda: RoundedCone((0.0, -0.06, 0.0), (0.0, 0.08, 0.0), 0.07, 0.03),
        "double_torus": double_torus,
        "thin": thin,
        "circle": lambda: Circle(0.1),
        "ellipse": lambda: Ellipse((0.12, 0.08)),
        "rectangle": lambda: Rectangle((0.20, 0.14)),
        "rounded_rectangle": lambda: Rectangle((0.20, 0.14), radius=0.03),
        "ring": lambda: Ring(0.09, 0.02),
        "triangle": lambda: Polygon(((-0.10, -0.08), (0.10, -0.08), (0.0, 0.10))),
        "head_profile": head_profile,
    }
)


def preset(name: str) -> Shape:
    """A named shape.

    Raises:
        FieldError: there is none of this name; the message lists those that there are.
    """
    if name not in PRESETS:
        close = difflib.get_close_matches(name, PRESETS, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise FieldError(f"a preset should be one of {', '.join(PRESETS)}; it is {name!r}{hint}")
    return PRESETS[name]()
