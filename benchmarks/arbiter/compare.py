"""How far a Gaussian basis is from plane waves, atom by atom.

    python benchmarks/arbiter/compare.py                 # the basis of the labels, all systems
    python benchmarks/arbiter/compare.py 8s8p5d3f1g dimers:11 dimers:14

A basis is a name that `label.basis` takes, or one of bases.json beside this file. Energies are
those of atoms less the isolated atom's, in meV; `mean` and `centred` (rms) are of the differences
of one element in one box, the last number the standard deviation of the reference.
"""

import json
import sys
from pathlib import Path

import numpy as np
from plane_waves import BOXES, DIMERS, frame_of, reference

import zeroflux.labelling.pyscf as pyscf_engine
from zeroflux.labelling.gth_data import DEFAULT_BASIS, basis_set
from zeroflux.labelling.label import basin_terms
from zeroflux.labels import TERMS
from zeroflux.units import MILLIELECTRONVOLT

BASES = json.loads(Path(__file__).with_name("bases.json").read_text())
SYMBOLS = {18: "Ar", 36: "Kr"}


def basis_of(name: str, symbol: str) -> list:
    """Shells of a basis of bases.json, or of one that the engines know."""
    if name not in BASES:
        return basis_set(name, symbol)
    shells = BASES[name][symbol]
    return [[int(shell), [a, 1.0]] for shell, exponents in shells.items() for a in exponents]


def plane_wave_energies(system: dict, atoms: dict[str, float], numbers: np.ndarray) -> np.ndarray:
    """Energies of atoms less those of isolated atoms (meV)."""
    total = sum(np.array(system[term]) for term in TERMS if term != "dispersion")
    return (total - [atoms[SYMBOLS[z]] for z in numbers]) / MILLIELECTRONVOLT


def main() -> None:
    name, *systems = sys.argv[1:] or [DEFAULT_BASIS]
    exact = {x["key"]: x for x in reference() if x["cutoff"] == 240.0}
    pyscf_engine.basis_set = basis_of
    pyscf_engine.ISOLATED_BOX = 9.0 / 0.529177210903  # as the plane waves' atoms
    engine = pyscf_engine.PyscfEngine(basis=name, density_cutoff=160.0).prepared(["Ar", "Kr"])
    atoms = {s: engine.isolated_atom_energy(s) for s in ("Ar", "Kr")}
    exact_atoms = {s: exact[f"atom:{s}"]["total_energy"] for s in ("Ar", "Kr")}
    for key in systems or (*DIMERS, *BOXES):
        frame = frame_of(exact[key])
        densities = engine.energy_densities(frame)
        terms = basin_terms(densities, dispersion=np.zeros(frame.n_atoms))
        ours = (
            terms.energy_unclosed - [atoms[SYMBOLS[z]] for z in frame.atomic_numbers]
        ) / MILLIELECTRONVOLT
        wanted = plane_wave_energies(exact[key], exact_atoms, frame.atomic_numbers)
        cpu = densities.info["scf_cpu_s"] + densities.info["densities_cpu_s"]
        line = f"{name} {key} {cpu:.0f} s"
        for z in np.unique(frame.atomic_numbers):
            at = frame.atomic_numbers == z
            error = (ours - wanted)[at]
            charge = (terms.charge - exact[key]["charge"])[at]
            line += (
                f" | {SYMBOLS[z]} mean {error.mean():+.2f} centred {error.std():.2f} of "
                f"{wanted[at].std():.2f}, q {np.abs(charge).max() * 1e3:.2f}e-3"
            )
        print(line, flush=True)


if __name__ == "__main__":
    main()
