"""Per-atom energies in plane waves: the reference of every Gaussian basis.

    python benchmarks/arbiter/plane_waves.py                      # everything that is not there yet
    python benchmarks/arbiter/plane_waves.py dimers:11 --cutoff 240

Systems are `pool:index` of the data set or `atom:Ar`. Results go to plane_waves.json.xz beside this
file: terms in hartree, charges in e, and the configuration itself in bohr. Two cores take 4 minutes
for a dimer and the better part of an hour for a box of 17; with PyTorch and a GPU
(EMINUS_BACKEND=torch EMINUS_USE_GPU=1) 3 s and 15 to 45 s.
"""

import argparse
import json
import lzma
from pathlib import Path

import numpy as np

from zeroflux import data
from zeroflux.frames import Frame, isolated_atom
from zeroflux.labelling.label import basin_terms
from zeroflux.labelling.plane_waves import ISOLATED_BOX, PlaneWaveEngine
from zeroflux.labels import BASIN_FIELDS

OUT = Path(__file__).with_name("plane_waves.json.xz")
DIMERS = [f"dimers:{i}" for i in (0, 2, 4, 6, 8, 10, 11, 12, 14, 16, 20, 22, 24, 26, 28)]
BOXES = [
    *(f"mixture_test:{i}" for i in (0, 1, 10, 11, 30, 31)),
    *("argon_test:0", "argon_test:10", "krypton_test:0", "krypton_test:10"),
]
ATOMS = ["atom:Ar", "atom:Kr"]
PLAN = [(key, 240.0) for key in (*ATOMS, *DIMERS, *BOXES)] + [
    (key, cutoff)
    for cutoff in (180.0, 320.0)
    for key in (*ATOMS, "dimers:11", "dimers:14", "mixture_test:0")
]


def configuration(key: str) -> Frame:
    """Configuration of a key."""
    pool, which = key.split(":")
    if pool == "atom":
        return isolated_atom(which, box_length=ISOLATED_BOX)
    return data.load(pool)[int(which)].frame


def frame_of(result: dict) -> Frame:
    """Configuration of a result."""
    return Frame(*(np.array(result[name]) for name in ("numbers", "positions", "cell")))


def reference() -> list[dict]:
    """All results so far."""
    if not OUT.exists():
        return []
    with lzma.open(OUT, "rt") as handle:
        return json.load(handle)


def solved(key: str, cutoff: float) -> dict:
    """Per-atom terms of one system."""
    frame = configuration(key)
    densities = PlaneWaveEngine(density_cutoff=cutoff).energy_densities(frame)
    terms = basin_terms(densities, dispersion=np.zeros(frame.n_atoms))
    return {name: getattr(terms, name).tolist() for name in BASIN_FIELDS} | {
        "numbers": frame.atomic_numbers.tolist(),
        "positions": frame.positions.tolist(),
        "cell": frame.cell.tolist(),
        "key": key,
        "cutoff": cutoff,
        "total_energy": densities.total_energy,
        "converged": densities.is_converged,
        "shape": list(densities.grid.shape),
        "info": densities.info,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("system", nargs="*", help="pool:index or atom:symbol")
    parser.add_argument("--cutoff", type=float, default=240.0, help="of the density (hartree)")
    chosen = parser.parse_args()
    plan = [(key, chosen.cutoff) for key in chosen.system] or PLAN
    results = reference()
    for key, cutoff in plan:
        if any(x["key"] == key and x["cutoff"] == cutoff for x in results):
            continue
        results.append(solved(key, cutoff))
        part = OUT.with_suffix(".part")
        with lzma.open(part, "wt") as handle:
            json.dump(results, handle)
        part.replace(OUT)
        print(key, cutoff, results[-1]["info"])


if __name__ == "__main__":
    main()
