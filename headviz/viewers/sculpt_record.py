"""A sculpting session as a record: the base, every step, and where the vertices are now."""

from __future__ import annotations

import io
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Shaped
from PIL import Image

from headviz.errors import HeadvizError, RecordError
from headviz.geometry.color import from_uint8
from headviz.geometry.glb import encode_texture
from headviz.geometry.mesh import Mesh
from headviz.sculpt import SculptSession
from headviz.sculpt.files import history_of, replay
from headviz.sculpt.origin import content_hash
from headviz.viewers.record import Record, plain

KIND = "sculpt"
_Arrays = dict[str, Shaped[np.ndarray, "..."]]


class LiveRecord(Record):
    """A record that always says what its session is now; a page, a file or a widget that is made of it takes that.

    Attributes:
        session: what it is a record of.
    """

    session: SculptSession

    def __init__(self, session: SculptSession) -> None:
        object.__setattr__(self, "kind", KIND)
        object.__setattr__(self, "session", session)
        object.__setattr__(self, "_still", (still_arrays(session), still_facts(session)))

    @property
    def facts(self) -> Mapping[str, Any]:
        """Numbers and words, and the steps so far."""
        found: Mapping[str, Any] = MappingProxyType(plain({**self._still[1], **live_facts(self.session)}))
        return found

    @property
    def arrays(self) -> Mapping[str, Shaped[np.ndarray, "..."]]:
        """The base, and where steps have led."""
        return MappingProxyType({**self._still[0], **live_arrays(self.session)})

    _still: tuple[_Arrays, dict[str, Any]]


def still_arrays(session: SculptSession) -> _Arrays:
    """What does not change: the base, its twins, its morphs where they are not zero."""
    mesh, surface = session.base, session.surface
    arrays: _Arrays = {"vertices": surface.rest, "faces": surface.faces}
    if surface.mirror is not None:
        arrays["mirror"] = surface.mirror
    for name, values in (("uv", mesh.uv), ("uv_faces", mesh.uv_faces), ("colors", mesh.colors)):
        if values is not None:
            arrays[name] = np.ascontiguousarray(values.detach().cpu().numpy())
    if mesh.texture is not None:  # without a loss, for a session's file needs it
        arrays["texture"] = np.frombuffer(encode_texture(mesh.texture, "png"), np.uint8)
    if session.layers.morphs:
        moved = {name: np.flatnonzero(offsets.any(1)) for name, offsets in session.layers.morphs.items()}
        arrays["morph.indices"] = np.concatenate([*moved.values()]).astype(np.int32)
        parts = [session.layers.morphs[name][indices] for name, indices in moved.items()]
        arrays["morph.offsets"] = np.concatenate(parts).reshape(-1, 3)
    return arrays


def still_facts(session: SculptSession) -> dict[str, Any]:
    """What does not change, as plain values; ``base`` is what a session's file says of the base."""
    ends = np.cumsum([0, *(int(offsets.any(1).sum()) for offsets in session.layers.morphs.values())])
    names = list(session.layers.morphs)
    origin = session.origin
    named = origin.kind == "named"
    return {
        "name": session.name,
        "size": session.surface.size,
        "edge": session.surface.edge,
        "morphs": [{"name": name, "start": int(ends[k]), "end": int(ends[k + 1])} for k, name in enumerate(names)],
        "base": {
            "kind": "named" if named else "memory",  # a page may be opened where a file of this computer is not
            "name": origin.name if named else "",
            "fixes": list(origin.fixes),
            "frame": {"center": list(origin.frame.center), "scale": origin.frame.scale},
            "vertices": len(session.surface),
            "faces": len(session.surface.faces),
            "sha256": content_hash(session.base),
        },
    }


def live_facts(session: SculptSession) -> dict[str, Any]:
    """The history."""
    history = history_of(session)
    return {"entries": history["steps"], **{name: history[name] for name in ("line", "current", "versions")}}


def live_arrays(session: SculptSession) -> _Arrays:
    """Where the vertices are and what is masked; nothing at the base."""
    arrays: _Arrays = {} if session.current == 0 else {"positions": session.positions.copy()}
    return arrays | ({"mask": session.mask.copy()} if session.mask.any() else {})


def session_of(record: Record) -> SculptSession:
    """A session made of a record, by doing its steps again.

    Raises:
        RecordError: the steps cannot be done.
    """
    facts = record.facts
    try:
        session = SculptSession(_mesh_of(record), name=str(facts["name"]))
        replay(session, {"steps": facts["entries"], **{name: facts[name] for name in ("line", "current", "versions")}})
    except (HeadvizError, LookupError, TypeError, ValueError) as error:
        raise RecordError(f"a record of a sculpting session cannot be opened: {error}") from error
    return session


def _mesh_of(record: Record) -> Mesh:
    """The base."""
    arrays = {name: torch.from_numpy(np.array(values)) for name, values in record.arrays.items()}
    vertices = arrays["vertices"].float()
    morphs = {}
    for part in record.facts["morphs"]:
        offsets, span = torch.zeros_like(vertices), slice(part["start"], part["end"])
        offsets[arrays["morph.indices"][span].long()] = arrays["morph.offsets"][span].float()
        morphs[part["name"]] = offsets
    return Mesh(
        vertices,
        arrays["faces"].long(),
        uv=arrays.get("uv"),
        uv_faces=arrays["uv_faces"].long() if "uv_faces" in arrays else None,
        texture=_picture(record.arrays["texture"]) if "texture" in arrays else None,
        colors=arrays.get("colors"),
        morphs=morphs,
        mirror=arrays["mirror"].long() if "mirror" in arrays else None,
    )


def _picture(data: Shaped[np.ndarray, " n"]) -> Float32[torch.Tensor, "h w 3"]:
    """The texture of a PNG file's bytes, linear."""
    with Image.open(io.BytesIO(data.tobytes()), formats=("PNG",)) as picture:
        return from_uint8(np.array(picture.convert("RGB")))


def has_colors(mesh: Mesh) -> bool:
    """Whether a mesh has a texture, with coordinates, or colours of its vertices."""
    return mesh.colors is not None or (mesh.texture is not None and mesh.uv is not None)


def vertex_colors(mesh: Mesh) -> Float32[np.ndarray, "n 3"] | None:
    """The colour of every vertex, linear, from the texture where there is one; ``None`` without either."""
    if mesh.texture is None or mesh.uv is None:
        return None if mesh.colors is None else mesh.colors.detach().cpu().numpy().astype(np.float32)
    place = mesh.uv.new_zeros(len(mesh.vertices), 2)
    if mesh.uv_faces is None:
        place = mesh.uv
    else:
        place[mesh.faces.reshape(-1)] = mesh.uv[mesh.uv_faces.reshape(-1)]
    height, width = mesh.texture.shape[:2]
    column = (place[:, 0] * width).long().clamp(0, width - 1)
    row = ((1 - place[:, 1]) * height).long().clamp(0, height - 1)
    return mesh.texture[row, column].detach().cpu().numpy().astype(np.float32)
