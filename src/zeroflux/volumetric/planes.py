"""Blocks of values whose first index runs fastest, as VASP and XCrySDen write them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from zeroflux.volumetric import _kernels as kernels
from zeroflux.volumetric.text import TextSource

WHAT = "values on the grid"


def read_planes(
    source: TextSource,
    shape: tuple[int, int, int],
    *,
    factor: float = 1.0,
    has_repeated_ends: bool = False,
) -> Float[np.ndarray, "n_a n_b n_c"]:
    """Read one block of ``shape`` values times ``factor`` into C order.

    With ``has_repeated_ends`` the file has one more point along each direction, which repeats the
    first one (XCrySDen's general grid).

    Raises
    ------
    FileFormatError
        If values are missing or no numbers, or the repeated points differ from the first ones.
    """
    n_a, n_b, n_c = shape
    extra = int(has_repeated_ends)
    first_line = source.line
    n_plane = (n_a + extra) * (n_b + extra)
    values = source.allocate(n_a * n_b * n_c, WHAT).reshape(shape)
    # whole cache lines of the result at a time, and few enough planes to stay in the cache
    n_planes = min(n_c, max(8, (1 << 18) // n_plane // 8 * 8))
    planes = np.empty((n_planes, n_b + extra, n_a + extra))
    first_plane = planes[0]
    mismatch = 0.0
    for first in range(0, n_c, n_planes):
        part = planes[: min(n_planes, n_c - first)]
        source.numbers(part.size, what=WHAT, out=part.reshape(-1))
        if has_repeated_ends:
            if first == 0:
                first_plane = part[0].copy()
            mismatch = max(
                mismatch,
                float(np.abs(part[:, -1, :] - part[:, 0, :]).max()),
                float(np.abs(part[:, :, -1] - part[:, :, 0]).max()),
            )
            part = np.ascontiguousarray(part[:, :-1, :-1])
        part *= factor
        kernels.store_planes(part, values, first)
    if has_repeated_ends:
        last = planes[:1]
        source.numbers(last.size, what=WHAT, out=last.reshape(-1))
        mismatch = max(mismatch, float(np.abs(last[0] - first_plane).max()))
        if mismatch * abs(factor) > 1e-4 * float(np.abs(values).max()):
            raise source.error(
                f"the last point along a direction differs from the first by up to {mismatch:.3g}; "
                "expected a general grid, whose last points repeat the first ones. Only fields "
                "that are periodic in the spanned cell can be divided into basins.",
                line=first_line,
            )
    return values
