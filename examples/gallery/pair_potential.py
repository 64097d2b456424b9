"""Does a pair potential know the energies of atoms?

Textbook Lennard-Jones argon, held against the basin energies of `argon_test`. Any ASE calculator
with `energies` can stand in its place.
"""

import matplotlib.pyplot as plt
import numpy as np
from ase.calculators.lj import LennardJones

import zeroflux as zf
from zeroflux import data
from zeroflux.units import ELECTRONVOLT

model = LennardJones(sigma=3.4, epsilon=0.0103, rc=12.0, ro=10.0, smooth=True)
scores = zf.score("argon_test", {"Lennard-Jones": model}, n_bootstrap=100)
for row in scores.table:
    if row["model"] == "Lennard-Jones":
        print(f"{row['species']}: error {row['RMSE (meV)']:.1f} meV, r = {row['Pearson r']:.3f}")

labels = data.load("argon_test")
given = np.concatenate([one.basin_energy / ELECTRONVOLT for one in labels])
found = np.concatenate([model.get_property("energies", one.frame.to_ase()) for one in labels])
given, found = ((energy - energy.mean()) * 1000 for energy in (given, found))

figure, panel = plt.subplots(figsize=(4, 4), layout="constrained")
panel.plot(given, found, ".", markersize=3, color="#0b5fa5")
panel.axline((0, 0), slope=1, color="grey", linewidth=0.8)
panel.set(xlabel="basin energy, centred (meV)", ylabel="Lennard-Jones, centred (meV)")
panel.set_aspect("equal")
figure.savefig("pair_potential.svg")
