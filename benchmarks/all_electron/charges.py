"""Basin charges of the data set against all-electron ones of an independent QTAIM code.

    CRITIC2=/path/to/critic2 python benchmarks/all_electron/charges.py

The labelled ArKr dimers and mixed trimers of the data set (pools `dimers` and `clusters`:
pseudopotentials, periodic box, grid) are computed again as molecules with all electrons, in
another basis (PySCF, def2-TZVPP). critic2 finds the interatomic surfaces of that wavefunction by
bisection along rays and integrates the density inside. Functional and positions are all that the
two have in common. Writes charges.json and charges.md beside this file.

References
----------
critic2: Otero-de-la-Roza, Johnson, Luaña, Comput. Phys. Commun. 185, 1007 (2014),
doi 10.1016/j.cpc.2013.10.026. Basis: Weigend, Ahlrichs, Phys. Chem. Chem. Phys. 7, 3297 (2005),
doi 10.1039/b508541a.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from ase.data import chemical_symbols
from pyscf import dft, gto
from pyscf.tools import wfn_format

from zeroflux import data
from zeroflux.labels import Label

OUT = Path(__file__).with_suffix(".json")
BASIS = "def2-TZVPP"
N_ANGLES = 24  # Gauss-Legendre rays: 24 polar times 24 azimuthal; 16 move charges by 5e-5 e
N_RADII = 300  # points of each ray, through the cores
DISTANCES = ("3.5", "3.65", "3.95")  # Å


def chosen() -> dict[str, Label]:
    """Labelled structures that hold both elements."""
    found: dict[str, Label] = {}
    for label in data.load("dimers", "clusters"):
        symbols = [chemical_symbols[z] for z in label.frame.atomic_numbers]
        if len(set(symbols)) == 2 and len(symbols) <= 3:
            distance = str(label.info.get("distance_angstrom", ""))
            name = "".join(sorted(symbols)) + (f" at {distance} Å" if distance else "")
            if distance in DISTANCES or (not distance and name not in found):
                found[name] = label
    return found


def all_electron_charges(label: Label, critic2: str) -> np.ndarray:
    """Charges (e) of the atoms in a molecule without a box, by critic2."""
    frame = label.frame
    symbols = [chemical_symbols[z] for z in frame.atomic_numbers]
    atoms = list(zip(symbols, whole(frame.positions, frame.cell), strict=True))
    molecule = gto.M(atom=atoms, unit="B", basis=BASIS, verbose=0)
    solver = dft.RKS(molecule)
    solver.xc, solver.grids.level, solver.conv_tol = "PBE", 5, 1e-11
    solver.kernel()
    if not solver.converged:
        raise SystemExit(f"The SCF of {''.join(symbols)} did not converge.")
    occupied = solver.mo_occ > 0
    commands = ["molecule m.wfn", "load m.wfn", f"int_radial type gauleg nr {N_RADII}"]
    commands += [f"integrals gauleg {N_ANGLES} {N_ANGLES} cp {k + 1}" for k in range(len(symbols))]
    with tempfile.TemporaryDirectory() as folder:
        with (Path(folder) / "m.wfn").open("w") as file:
            wfn_format.write_mo(
                file,
                molecule,
                solver.mo_coeff[:, occupied],
                mo_energy=solver.mo_energy[occupied],
                mo_occ=solver.mo_occ[occupied],
            )
        (Path(folder) / "m.cri").write_text("\n".join(commands) + "\n")
        done = subprocess.run(
            [critic2, "m.cri"], cwd=folder, capture_output=True, text=True, check=False
        )
    rows = re.findall(r"^ +1 +(\d+) +\d+ +[A-Z][a-z]? +(\d+) +1 +(\S+) +\S+ *$", done.stdout, re.M)
    if [int(z) for _, z, _ in rows] != frame.atomic_numbers.tolist():
        raise SystemExit(f"critic2 gave no table that could be read:\n{done.stdout[-2000:]}")
    return np.array([int(z) - float(population) for _, z, population in rows])


def whole(positions: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Positions (bohr) of a cluster that the box may have cut, in one piece."""
    moves = (positions - positions[0]) @ np.linalg.inv(cell)
    return positions[0] + (moves - np.round(moves)) @ cell


def main() -> None:
    critic2 = os.environ.get("CRITIC2") or shutil.which("critic2")
    if critic2 is None:
        sys.exit("critic2 is not on PATH; set CRITIC2 to the program.")
    rows = []
    for name, label in chosen().items():
        theirs = all_electron_charges(label, critic2)
        for z, own, other in zip(
            label.frame.atomic_numbers, label.terms.charge, theirs, strict=True
        ):
            atom = chemical_symbols[z]
            rows.append({"system": name, "atom": atom, "label": own, "all_electron": other})
            print(f"{name} {atom}: {own:+.5f} {other:+.5f}", flush=True)
        print(f"  all-electron charges add up to {theirs.sum():+.1e} e")
    OUT.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    lines = ["| system | atom | label (e) | all electrons, critic2 (e) |", "|---|---|---|---|"]
    lines += [
        f"| {r['system']} | {r['atom']} | {r['label']:+.4f} | {r['all_electron']:+.4f} |"
        for r in rows
    ]
    difference = np.array([r["label"] - r["all_electron"] for r in rows])
    lines += ["", f"Root mean square of the difference: {np.sqrt(np.mean(difference**2)):.4f} e."]
    OUT.with_suffix(".md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
