"""The inner loops of the soft mask, compiled by numba; their formula is :func:`headviz.render.soft.reference`."""

from __future__ import annotations

from typing import no_type_check

import numpy as np

from headviz.render.raster_compiled import whole, within


@whole
@no_type_check
def sum_table(mask, out):
    """How many pixels are not covered above and to the left of every corner, (h + 1, w + 1)."""
    height, width = mask.shape
    out[0, :] = 0
    for v in range(height):
        row = 0
        out[v + 1, 0] = 0
        for u in range(width):
            row += not mask[v, u]
            out[v + 1, u + 1] = out[v, u + 1] + row


@whole
@no_type_check
def _nearest(x, y, pixels, a, b, zero, one):
    """Squared distance to a side, and how far along it the nearest point lies, in [0, 1]."""
    dx, dy = pixels[b, 0] - pixels[a, 0], pixels[b, 1] - pixels[a, 1]
    ex, ey = x - pixels[a, 0], y - pixels[a, 1]
    length = dx * dx + dy * dy
    t = min(max((ex * dx + ey * dy) / length, zero), one) if length > zero else zero
    ex, ey = ex - t * dx, ey - t * dy
    return ex * ex + ey * ey, t


@whole
@no_type_check
def _box(pixels, i, j, k, margin, table, first, last):
    """Columns and rows that a face's margin reaches; none where all of them are covered."""
    low = min(pixels[i, 0], pixels[j, 0], pixels[k, 0])
    high = max(pixels[i, 0], pixels[j, 0], pixels[k, 0])
    left, right = within(low - margin, high + margin, 0, table.shape[1] - 1)
    low = min(pixels[i, 1], pixels[j, 1], pixels[k, 1])
    high = max(pixels[i, 1], pixels[j, 1], pixels[k, 1])
    top, bottom = within(low - margin, high + margin, first, last)
    if left >= right or top >= bottom:
        return 0, 0, 0, 0
    free = table[bottom, right] - table[top, right] - table[bottom, left] + table[top, left]
    return (left, right, top, bottom) if free > 0 else (0, 0, 0, 0)


@whole
@no_type_check
def spread(mesh, picture, numbers, rest, first, last):
    """Π (1 − exp(−d² / δ)) over the faces of one picture, for uncovered pixels in some rows.

    Args:
        mesh: pixel positions of corners (n, 2), which of them are in front of the camera (n,), and faces (m, 3).
        picture: covered pixels (h, w), the table of :func:`sum_table` (h + 1, w + 1), and the pixel centres' columns
            (w,) and rows (h,).
        numbers: 0, 1, −1 / δ, the margin, and the least that a face may leave of a pixel.
        rest: the product, 1 before, (h, w).
        first: the first row.
        last: the last row + 1.
    """
    pixels, front, faces = mesh
    mask, table, columns, rows = picture
    zero, one, scale, margin, least = numbers
    reach = margin * margin
    for f in range(len(faces)):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        if not (front[i] and front[j] and front[k]):
            continue
        left, right, top, bottom = _box(pixels, i, j, k, margin, table, first, last)
        for v in range(top, bottom):
            for u in range(left, right):
                if mask[v, u]:
                    continue
                d, _ = _nearest(columns[u], rows[v], pixels, i, j, zero, one)
                e, _ = _nearest(columns[u], rows[v], pixels, j, k, zero, one)
                g, _ = _nearest(columns[u], rows[v], pixels, k, i, zero, one)
                d = min(d, e, g)
                if d < reach:
                    rest[v, u] *= max(one - np.exp(d * scale), least)


@whole
@no_type_check
def pull_back(mesh, picture, numbers, rest, given, out, first, last):
    """Gradient by the corners' pixel positions, added to ``out`` (n, 2), of 1 − ``rest`` whose gradient is given."""
    pixels, front, faces = mesh
    mask, table, columns, rows = picture
    zero, one, scale, margin, least = numbers
    reach, two = margin * margin, one + one
    for f in range(len(faces)):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        if not (front[i] and front[j] and front[k]):
            continue
        left, right, top, bottom = _box(pixels, i, j, k, margin, table, first, last)
        for v in range(top, bottom):
            for u in range(left, right):
                if mask[v, u] or given[v, u] == zero:
                    continue
                x, y = columns[u], rows[v]
                a, b = i, j
                d, t = _nearest(x, y, pixels, i, j, zero, one)
                e, s = _nearest(x, y, pixels, j, k, zero, one)
                if e < d:
                    a, b, d, t = j, k, e, s
                e, s = _nearest(x, y, pixels, k, i, zero, one)
                if e < d:
                    a, b, d, t = k, i, e, s
                if d < reach:
                    part = np.exp(d * scale)
                    # d(1 − rest)/d(d²) = rest / (1 − part) · (−part / δ); d² falls as the nearest point comes nearer.
                    if one - part > least:
                        weight = -two * given[v, u] * rest[v, u] / (one - part) * part * scale
                        dx = x - pixels[a, 0] - t * (pixels[b, 0] - pixels[a, 0])
                        dy = y - pixels[a, 1] - t * (pixels[b, 1] - pixels[a, 1])
                        out[a, 0] += weight * (one - t) * dx
                        out[a, 1] += weight * (one - t) * dy
                        out[b, 0] += weight * t * dx
                        out[b, 1] += weight * t * dy
