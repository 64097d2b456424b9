"""Structures of the pools that are no liquids: solids, clusters, dimers.

    python data/structures.py              # writes data/structures/*.extxyz, the same every time
    python data/structures.py --check-gap  # what the distance to the images changes

The files are the input of data/configs/{solids,clusters,dimers}.yaml.

Clusters stand in orthorhombic boxes along their principal axes, with a gap of 9 Å between the
outermost nuclei of neighbouring images. The gap is chosen for the electrons, whose energy it
changes by less than 0.05 meV per atom (``--check-gap``). The error at smaller gaps is one of the
single k-point: it is of first order in the overlap of orbitals with their images, where an
interaction of closed shells would be of second. Dispersion reaches further: its energy with the
images is in every header (``image_dispersion_ev_per_atom``), so that it can be taken off.
"""

# ruff: noqa: T201 - a script shows what it did
from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from zeroflux.frames import Frame
from zeroflux.labelling.dispersion import dispersion_energies
from zeroflux.sampling import crystal, dimer, sample_canonical, sample_cluster
from zeroflux.units import ANGSTROM, ELECTRONVOLT, MILLIELECTRONVOLT

FOLDER = Path(__file__).parent / "structures"
GAP = 9.0 * ANGSTROM
GAPS = (7.0, 8.0, 9.0, 12.0)  # Å; the last is the reference of --check-gap
FAR = 400.0  # bohr; a box in which images do not count
SYSTEM = {"Ar": "argon", "Kr": "krypton"}

# Nearest-neighbour distances (Å): X-ray lattice constants at 4 K (5.311 and 5.646 Å, Peterson,
# Batchelder, Simmons, Phys. Rev. 150, 703 (1966); Losee, Simmons, Phys. Rev. 172, 944 (1968))
# and thermally expanded by 1.3 %.
CRYSTALS = (
    # symbol, distance of the perfect crystal, (temperature (K), distance) of the displaced ones
    ("Ar", 3.755, ((20.0, 3.765), (60.0, 3.805))),
    ("Kr", 3.992, ((30.0, 4.005), (80.0, 4.050))),
)
N_DISPLACED = 3  # configurations of each temperature
SOLID_SEED = 3004

CLUSTERS = (
    # composition, temperature (K), number of configurations
    ({"Ar": 3}, 15.0, 2),
    ({"Kr": 3}, 20.0, 2),
    ({"Ar": 2, "Kr": 1}, 15.0, 2),
    ({"Ar": 1, "Kr": 2}, 15.0, 2),
    ({"Ar": 7}, 20.0, 2),
    ({"Kr": 7}, 28.0, 2),
    ({"Ar": 4, "Kr": 3}, 22.0, 2),
    ({"Ar": 13}, 25.0, 2),
    ({"Kr": 13}, 35.0, 2),
    ({"Ar": 6, "Kr": 7}, 28.0, 3),
    ({"Ar": 10, "Kr": 3}, 25.0, 3),
)
CLUSTER_SEED = 3005

DISTANCES = {  # Å, from where the curve is steep and positive to where it is flat
    ("Ar", "Ar"): (3.2, 3.4, 3.55, 3.7, 3.85, 4.0, 4.3, 4.7, 5.3, 6.2),
    ("Ar", "Kr"): (3.3, 3.5, 3.65, 3.8, 3.95, 4.1, 4.4, 4.8, 5.4, 6.4),
    ("Kr", "Kr"): (3.4, 3.6, 3.75, 3.9, 4.05, 4.2, 4.5, 4.9, 5.5, 6.6),
}

Structure = tuple[Frame, dict[str, Any]]


def solids() -> list[Structure]:
    """Perfect crystals of 32 atoms, and configurations sampled with the pair potentials."""
    found: list[Structure] = []
    seeds = iter(np.random.SeedSequence(SOLID_SEED).generate_state(8))
    for symbol, perfect, displaced in CRYSTALS:
        for structure in ("fcc", "hcp"):
            info = {"system": f"{SYSTEM[symbol]} {structure}"}
            ideal = crystal(symbol, structure, nearest_distance=perfect * ANGSTROM)
            found.append((ideal, {**info, "temperature_kelvin": 0.0}))
            for temperature, distance in displaced:
                seed = int(next(seeds))
                sampled = sample_canonical(
                    crystal(symbol, structure, nearest_distance=distance * ANGSTROM),
                    temperature_kelvin=temperature,
                    n_frames=N_DISPLACED,
                    seed=seed,
                    min_stride=200,
                )
                for frame in sampled.frames:
                    extra = {"temperature_kelvin": temperature, "sampling_seed": seed}
                    found.append((frame, {**info, **extra}))
    return found


def clusters() -> list[Structure]:
    """Clusters of 3 to 13 atoms, annealed and sampled with the pair potentials."""
    found: list[Structure] = []
    seeds = np.random.SeedSequence(CLUSTER_SEED).generate_state(len(CLUSTERS)) % 2**20
    for (composition, temperature, n_frames), seed in zip(CLUSTERS, seeds, strict=True):
        sampled = sample_cluster(
            composition,
            temperature_kelvin=temperature,
            box_length=24.0 * ANGSTROM,
            n_frames=n_frames,
            seed=int(seed),
        )
        name = SYSTEM[next(iter(composition))] if len(composition) == 1 else "mixture"
        info = {"system": f"{name} cluster", "temperature_kelvin": temperature}
        for frame in sampled.frames:
            found.append((boxed(frame), {**info, "sampling_seed": int(seed)}))
    return found


def dimers() -> list[Structure]:
    """Two atoms at ten distances."""
    found: list[Structure] = []
    for (first, second), distances in DISTANCES.items():
        names = dict.fromkeys((SYSTEM[first], SYSTEM[second]))
        info = {"system": f"{'-'.join(names)} dimer"}
        for distance in distances:
            pair = dimer(first, second, distance=distance * ANGSTROM, box_length=30.0 * ANGSTROM)
            found.append((boxed(pair), {**info, "distance_angstrom": distance}))
    return found


def boxed(frame: Frame, gap: float = GAP) -> Frame:
    """Cluster along its principal axes in the smallest box that keeps the gap to its images."""
    centred = frame.positions - frame.positions.mean(axis=0)
    axes = np.linalg.svd(centred)[2]
    # The sign of an axis is free: its largest component is made positive.
    axes *= np.sign(axes[np.arange(3), np.abs(axes).argmax(axis=1)])[:, None]
    turned = centred @ axes.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    edges = np.ceil((high - low + gap) / (0.1 * ANGSTROM)) * 0.1 * ANGSTROM
    return Frame(frame.atomic_numbers, turned - 0.5 * (low + high) + 0.5 * edges, np.diag(edges))


def image_dispersion(frame: Frame) -> float:
    """D3(BJ) energy with the images, per atom (hartree)."""
    alone = Frame(frame.atomic_numbers, frame.positions, np.eye(3) * FAR)
    periodic = dispersion_energies(frame, functional="PBE").sum()
    return float(periodic - dispersion_energies(alone, functional="PBE").sum()) / frame.n_atoms


def write(name: str, structures: list[Structure]) -> None:
    """One extended XYZ file of a pool."""
    from ase.io import write as ase_write

    images = []
    for frame, info in structures:
        atoms = frame.to_ase()
        atoms.cell = np.round(atoms.cell.array, 8)
        atoms.info.update(info)
        if name != "solids":
            share = image_dispersion(frame) / ELECTRONVOLT
            atoms.info["image_dispersion_ev_per_atom"] = round(share, 7)
        images.append(atoms)
    ase_write(FOLDER / f"{name}.extxyz", images, format="extxyz")
    volumes = [frame.volume / ANGSTROM**3 for frame, _ in structures]
    print(f"{name}: {len(images)} structures, boxes of {min(volumes):.0f} to {max(volumes):.0f} Å³")


def check_gap(cutoff: float = 120.0) -> None:
    """Energy of dimers against the gap, without and with dispersion (meV per atom)."""
    from zeroflux.labelling.pyscf import PyscfEngine

    engine = PyscfEngine(density_cutoff=cutoff, energy_tolerance=1e-7, gradient_tolerance=1e-4)
    print("dimer  gap (Å)  electrons (meV/atom)  dispersion with images (meV/atom)")
    for symbol, distance in (("Ar", 3.8), ("Kr", 4.05)):
        pair = dimer(symbol, symbol, distance=distance * ANGSTROM, box_length=30.0 * ANGSTROM)
        energies = {}
        for gap in GAPS:
            frame = boxed(pair, gap * ANGSTROM)
            cell = engine._cell(frame)
            energies[gap] = engine._solve(frame, cell).total_energy / 2, image_dispersion(frame)
        for gap, (energy, dispersion) in energies.items():
            change = (energy - energies[GAPS[-1]][0]) / MILLIELECTRONVOLT
            print(
                f"{chemical_symbols[pair.atomic_numbers[0]]}2    {gap:4.1f}     {change:+8.4f}"
                f"              {dispersion / MILLIELECTRONVOLT:+8.4f}"
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check-gap", action="store_true")
    if parser.parse_args().check_gap:
        check_gap()
    else:
        FOLDER.mkdir(exist_ok=True)
        write("solids", solids())
        write("clusters", clusters())
        write("dimers", dimers())
