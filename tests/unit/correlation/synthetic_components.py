"""Made-up components whose shortcut is known: not physics, only algebra with a known answer."""

import numpy as np

from zeroflux.correlation import ComponentTable
from zeroflux.labels import TERMS

SLOPES = {18: -0.12, 36: -0.25}
OFFSETS = {18: -21.0, 36: -18.5}


def synthetic_table(
    *,
    compositions: list[dict[int, int]],
    systems: list[str] | None = None,
    noise: float = 0.0,
    seed: int = 0,
) -> ComponentTable:
    """Atoms with E_A − dispersion = slope · electrostatic + offset (+ local noise), by species.

    The remaining terms share what is left so that the sum rule holds exactly.
    """
    rng = np.random.default_rng(seed)
    species = np.concatenate([np.repeat(list(c), list(c.values())) for c in compositions]).astype(
        np.int64
    )
    configuration = np.repeat(np.arange(len(compositions)), [sum(c.values()) for c in compositions])
    # Differences between configurations (density) and between atoms (environment).
    state = rng.normal(scale=0.003, size=len(compositions))[configuration]
    electrostatic = -12.0 - 0.1 * species + state + rng.normal(scale=0.002, size=len(species))
    dispersion = rng.normal(-0.001, 0.0002, size=len(species))
    slope = np.array([SLOPES[z] for z in species])
    offset = np.array([OFFSETS[z] for z in species])
    energy = slope * (electrostatic + 12.0) + offset + noise * rng.normal(size=len(species))
    kinetic = 8.0 - 0.98 * electrostatic + 1e-4 * rng.normal(size=len(species))
    pseudo = 0.01 * rng.normal(size=(2, len(species)))
    columns = {
        "kinetic": kinetic,
        "electrostatic": electrostatic,
        "pseudo_local": pseudo[0],
        "pseudo_nonlocal": pseudo[1],
        "dispersion": dispersion,
        "xc": energy - kinetic - electrostatic - pseudo.sum(axis=0),
    }
    basin_energy = energy + dispersion
    return ComponentTable(
        components=np.column_stack([columns[term] for term in TERMS]),
        basin_energy=basin_energy,
        species=species,
        configuration=configuration,
        total_energy=np.bincount(configuration, weights=basin_energy),
        systems=tuple(systems or ["synthetic"] * len(compositions)),
    )


ARGON = [{18: 16}] * 24
MIXTURE = [{18: 10, 36: 6}] * 24
SEVERAL = [{18: n, 36: 16 - n} for n in (4, 8, 12)] * 10
