"""What several tests of the physics share."""

import numpy as np
import pytest

from zeroflux.frames import Frame
from zeroflux.units import ANGSTROM


@pytest.fixture(scope="session")
def frame() -> Frame:
    """Two argon and two krypton atoms in a small periodic box, species alternating, no symmetry."""
    rng = np.random.default_rng(3)
    fractional = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    length = 5.6 * ANGSTROM
    return Frame(
        atomic_numbers=np.array([18, 36, 18, 36]),
        positions=fractional * length + rng.normal(scale=0.2, size=(4, 3)),
        cell=np.eye(3) * length,
    )
