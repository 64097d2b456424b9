"""Names of results by their content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import numpy as np

from zeroflux.frames import Frame

_RESOLUTION = 1e-7  # bohr; what a text file with eight decimals in ångström keeps


def content_key(frame: Frame, settings: Mapping[str, str | int | float]) -> str:
    """Name of whatever is computed from a configuration and settings, and from nothing else."""
    digest = hashlib.sha256(json.dumps(dict(settings), sort_keys=True).encode())
    digest.update(np.asarray(frame.atomic_numbers, dtype="<i8").tobytes())
    for array in (frame.positions, frame.cell):
        digest.update(np.round(np.asarray(array) / _RESOLUTION).astype("<i8").tobytes())
    return digest.hexdigest()[:20]
