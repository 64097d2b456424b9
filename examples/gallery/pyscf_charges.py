"""Charges of a molecule's density, from PySCF to a figure.

Lithium fluoride, stretched from its bond length outwards in a periodic box. The array goes to
`zf.basins` as it is; no file is written.
"""

import matplotlib.pyplot as plt
import numpy as np
from ase import Atoms
from pyscf.pbc import dft, gto

import zeroflux as zf

distances = (1.5, 1.8, 2.4)  # Å
charges = []
for distance in distances:
    atoms = Atoms("LiF", [[4, 4, 3], [4, 4, 3 + distance]], cell=[8, 8, 8], pbc=True)
    cell = gto.Cell(
        a=atoms.cell.array,
        atom=[(atom.symbol, atom.position) for atom in atoms],
        basis="gth-dzvp-molopt-sr",
        pseudo="gth-pbe",
        mesh=[64, 64, 64],
        verbose=0,
    ).build()
    field = dft.RKS(cell, xc="pbe").multigrid_numint().run()
    density = field.get_rho().reshape(cell.mesh)
    result = zf.basins(density, atoms, unit="1/bohr^3", valence={"Li": 3, "F": 7})
    charges.append(result.charges)
    print(f"{distance} Å: Li {result.charges[0]:+.3f}, F {result.charges[1]:+.3f}")

figure, panel = plt.subplots(figsize=(5, 3.5), layout="constrained")
for name, line in zip(("Li", "F"), np.transpose(charges), strict=True):
    panel.plot(distances, line, marker="o", label=name)
panel.axhline(0, color="grey", linewidth=0.5)
panel.set(xlabel="distance (Å)", ylabel="Bader charge (e)")
panel.legend(frameon=False)
figure.savefig("pyscf_charges.svg")
