"""The inner loop of the scan-line rasterizer, compiled by numba; its formula is :func:`fragments.corner_areas`.

Nothing here is contracted to fused operations: for two faces with a common edge the area at a pixel is the same number
with opposite signs, so that no pixel falls between them.
"""

from __future__ import annotations

from functools import partial
from typing import no_type_check

import numpy as np

from headviz.geometry.compiling import compiled

SLACK = 0.01  #: pixels by which a face's box is larger than the face, for rounding

whole = partial(compiled, nogil=True, error_model="numpy")


@whole
@no_type_check
def within(low, high, first, last):
    """First and last + 1 of the pixels whose centre is between two positions; NaN is no limit."""
    low, high = low - 0.5, high - 0.5
    begin = last if low >= last else int(np.ceil(low)) if low > first else first
    end = first if high < first else int(high) + 1 if high < last - 1 else last
    return begin, end


@whole
@no_type_check
def cover(mesh, plane, out, first, last):
    """The nearest face of every pixel in some rows of one picture.

    Args:
        mesh: corners in the camera's frame (n, 3), faces (m, 3), and the corners' pixel positions (n, 2), which count
            where all corners of a face are in front of the camera.
        plane: where the pixels' rays are at depth 1: x of the columns (w,), y of the rows (h,).
        out: face of every pixel, −1 before (h, w), and its depth, infinite before (h, w).
        first: the first row.
        last: the last row + 1.
    """
    points, faces, pixels = mesh
    columns, rows = plane
    found, depths = out
    width = len(columns)
    for f in range(len(faces)):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        zi, zj, zk = -points[i, 2], -points[j, 2], -points[k, 2]
        if zi <= 0 and zj <= 0 and zk <= 0:
            continue
        left, right, top, bottom = 0, width, first, last
        if zi > 0 and zj > 0 and zk > 0:
            low = min(pixels[i, 0], pixels[j, 0], pixels[k, 0])
            high = max(pixels[i, 0], pixels[j, 0], pixels[k, 0])
            left, right = within(low - SLACK, high + SLACK, 0, width)
            low = min(pixels[i, 1], pixels[j, 1], pixels[k, 1])
            high = max(pixels[i, 1], pixels[j, 1], pixels[k, 1])
            top, bottom = within(low - SLACK, high + SLACK, first, last)
        xi, xj, xk = points[i, 0], points[j, 0], points[k, 0]
        yi, yj, yk = points[i, 1], points[j, 1], points[k, 1]
        for v in range(top, bottom):
            y = rows[v]
            bi, bj, bk = yi - zi * y, yj - zj * y, yk - zk * y
            for u in range(left, right):
                x = columns[u]
                ai, aj, ak = xi - zi * x, xj - zj * x, xk - zk * x
                wi, wj, wk = aj * bk - ak * bj, ak * bi - ai * bk, ai * bj - aj * bi
                if (wi >= 0 and wj >= 0 and wk >= 0) or (wi <= 0 and wj <= 0 and wk <= 0):
                    total = wi + wj + wk
                    if total != 0:
                        depth = (wi * zi + wj * zj + wk * zk) / total
                        if 0 < depth < depths[v, u]:
                            depths[v, u] = depth
                            found[v, u] = f
