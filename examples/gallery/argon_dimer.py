"""What two atoms of a dimer get, along the distance.

Equal atoms share the interaction half and half, by symmetry. In the mixed dimer nothing forces
that: argon and krypton get what lies in their basins, and how they differ is a result.
"""

import matplotlib.pyplot as plt
import numpy as np

from zeroflux import data
from zeroflux.units import ELECTRONVOLT

MEV = ELECTRONVOLT / 1000
figure, panels = plt.subplots(1, 3, figsize=(9, 3), sharey=True, layout="constrained")
pairs = {"argon dimer": (18, 18), "mixed dimer": (18, 36), "krypton dimer": (36, 36)}
for panel, (title, pair) in zip(panels, pairs.items(), strict=True):
    dimers = [one for one in data.load("dimers") if tuple(sorted(one.frame.atomic_numbers)) == pair]
    dimers.sort(key=lambda one: one.info["distance_angstrom"])
    distance = [one.info["distance_angstrom"] for one in dimers]
    symbols = [one.frame.to_ase().get_chemical_symbols() for one in dimers]
    for k, colour in enumerate(("#0b5fa5", "#c2571a")):
        free = [one.info[f"isolated_energy_{symbols[0][k]}_ev"] * ELECTRONVOLT for one in dimers]
        energy = (np.array([one.basin_energy[k] for one in dimers]) - free) / MEV
        style = "-" if k == 0 else "--"
        panel.plot(distance, energy, style, marker=".", color=colour, label=symbols[0][k])
    panel.axhline(0, color="grey", linewidth=0.5)
    panel.set(title=title, xlabel="distance (Å)", ylim=(-15, 30))
    panel.legend(frameon=False)
    deepest = int(np.argmin([one.total_energy for one in dimers]))
    print(f"{title}: lowest total at {distance[deepest]} Å")
panels[0].set_ylabel("energy of the atom less free (meV)")
figure.savefig("argon_dimer.svg")
