"""Four ways to divide one energy.

The labels of version 3 hold the energies of four partitions of the same fields. Where they agree,
the question has an answer; where they do not, a model cannot be blamed for disagreeing with one of
them.
"""

import matplotlib.pyplot as plt
import numpy as np

from zeroflux import data
from zeroflux.artifacts.extxyz import read_labels
from zeroflux.units import ELECTRONVOLT

labels = read_labels(data.folder() / "version3" / "mixture_test.extxyz.xz")
numbers = np.concatenate([one.frame.atomic_numbers for one in labels])


def centred(energies: list[np.ndarray]) -> np.ndarray:
    """Energies less the mean of their species (meV)."""
    joined = np.concatenate(energies) / ELECTRONVOLT * 1000
    means = {number: joined[numbers == number].mean() for number in np.unique(numbers)}
    return joined - np.array([means[number] for number in numbers])


basin = centred([one.basin_energy for one in labels])
figure, panels = plt.subplots(1, 3, figsize=(9, 3.3), layout="constrained")
for panel, name in zip(panels, ("neutral", "stockholder", "orbital"), strict=True):
    other = centred([one.other_energies[name] for one in labels])
    for number, symbol, colour in ((18, "Ar", "#0b5fa5"), (36, "Kr", "#c2571a")):
        mine = numbers == number
        r = np.corrcoef(basin[mine], other[mine])[0, 1]
        panel.plot(
            basin[mine],
            other[mine],
            ".",
            markersize=3,
            color=colour,
            label=f"{symbol}, r = {r:.2f}",
        )
        print(f"{name:11s} {symbol}: r = {r:.3f} with the basin energies")
    panel.axline((0, 0), slope=1, color="grey", linewidth=0.8)
    panel.set(title=name, xlabel="basin energy (meV)")
    panel.legend(frameon=False)
panels[0].set_ylabel("energy by the other partition (meV)")
figure.savefig("four_partitions.svg")
