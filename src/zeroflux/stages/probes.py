"""What trained networks say of structures nobody labelled for them: dimers, symmetry, gradients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from ase.data import chemical_symbols

from zeroflux.correlation import isolated_energies
from zeroflux.evaluation import (
    Checkpoint,
    RigidityProfile,
    checkpoint,
    has_equal_atoms,
    receptive_field,
    rigidity_profile,
)
from zeroflux.frames import Frame
from zeroflux.labels import Label, system_name
from zeroflux.units import ANGSTROM

if TYPE_CHECKING:
    from zeroflux.potentials.energy import Model, SharedInputs
    from zeroflux.report import DimerCurve, ModelResult, Reach

BOX = 40.0 * ANGSTROM
"""Side of the cell of atoms and dimers: no image within any cutoff."""
SYMMETRY_REACH = 7.0 * ANGSTROM
DISTANCES = np.arange(3.2, 8.01, 0.1) * ANGSTROM
GRADIENT_EDGES = np.arange(2.8, 14.01, 0.35) * ANGSTROM
N_FRAMES, N_ATOMS = 3, 4
"""Configurations, and atoms of each, whose local energies are differentiated."""


def checkpoints(labels: Sequence[Label], models: Mapping[str, Model]) -> list[Checkpoint]:
    """Local energies where symmetry fixes them: isolated atoms, dimers, perfect crystals.

    ``models`` by what they are called in the result; seeds of one name are kept apart by a
    suffix behind ``#``, which is left out.
    """
    known = isolated_energies(labels) or {}
    cases = [
        (f"isolated {chemical_symbols[z]}", energy, atom_frame(z)) for z, energy in known.items()
    ]
    cases += [
        (_structure_name(label), label.total_energy, label.frame)
        for label in labels
        if has_equal_atoms(label.frame, reach=SYMMETRY_REACH)
    ]
    predicted = _energies(models, [frame for _, _, frame in cases])
    return [
        checkpoint(
            structure=structure,
            model=name.split("#")[0],
            total_energy=energy,
            local_energy=local,
        )
        for (structure, energy, _), by_model in zip(cases, predicted, strict=True)
        for name, local in by_model.items()
    ]


def _structure_name(label: Label) -> str:
    distance = label.info.get("distance_angstrom")
    return system_name(label) + (f", {distance} Å" if distance is not None else "")


def _energies(models: Mapping[str, Model], frames: Sequence[Frame]) -> list[dict[str, np.ndarray]]:
    """Local energies of each frame by all models that know its elements (hartree)."""
    from zeroflux.potentials.energy import predictions

    found: list[dict[str, np.ndarray]] = [{} for _ in frames]
    by_species: dict[tuple[int, ...], list[str]] = {}
    for name, model in models.items():
        by_species.setdefault(model.species, []).append(name)
    for species, names in by_species.items():
        known = [k for k, f in enumerate(frames) if set(f.atomic_numbers.tolist()) <= set(species)]
        # Atoms and pairs at once, crystals at once: two compilations, and little padding.
        for is_small in (True, False):
            chosen = [k for k in known if (frames[k].n_atoms <= 2) == is_small]
            if not chosen:
                continue
            own = [models[name] for name in names]
            energies = predictions(own, [frames[k] for k in chosen], is_brief=True)
            for name, each in zip(names, energies, strict=True):
                for k, local in zip(chosen, each, strict=True):
                    found[k][name] = local
    return found


def atom_frame(number: int) -> Frame:
    """One atom alone."""
    return Frame(np.array([number]), np.zeros((1, 3)), BOX * np.eye(3))


def dimer_frame(numbers: tuple[int, int], distance: float) -> Frame:
    """Two atoms alone (bohr)."""
    positions = np.array([[0.0, 0.0, 0.0], [distance, 0.0, 0.0]])
    return Frame(np.array(numbers), positions, BOX * np.eye(3))


def dimer_curves(
    labels: Sequence[Label], models: Sequence[tuple[ModelResult, Model]]
) -> list[DimerCurve]:
    """Interaction energies of two atoms: by the labels where there are some, and by models."""
    from zeroflux.potentials.energy import predictions
    from zeroflux.report import DimerCurve

    numbers = sorted({int(z) for label in labels for z in label.frame.atomic_numbers})
    pairs = [(a, b) for k, a in enumerate(numbers) for b in numbers[k:]]
    curves = []
    for pair in pairs:
        name = _pair_name(pair)
        points = _labelled_dimers(labels, pair)
        if len(points) > 1:
            curves.append(DimerCurve(name, "DFT", points[:, 0], points[:, 1]))
        for result, model in models:
            if not set(pair) <= set(model.species):
                continue
            frames = [dimer_frame(pair, r) for r in DISTANCES]
            alone = sum(float(model.local_energies([atom_frame(z)])[0][0]) for z in pair)
            energy = (
                np.array([each.sum() for each in predictions([model], frames, is_brief=True)[0]])
                - alone
            )
            size = result.n_parameters
            title = f"{result.architecture}, {size:,} parameters"
            curves.append(DimerCurve(name, title, DISTANCES, energy, result.trained_on, size))
    return curves


def _pair_name(pair: tuple[int, int]) -> str:
    first, second = (chemical_symbols[z] for z in pair)
    return f"{first}\N{SUBSCRIPT TWO}" if first == second else f"{first}{second}"


def _labelled_dimers(labels: Sequence[Label], pair: tuple[int, int]) -> np.ndarray:
    """Distance and interaction energy of labelled dimers, by distance (atomic units)."""
    alone = isolated_energies(labels) or {}
    rows = []
    for label in labels:
        if sorted(label.frame.atomic_numbers.tolist()) == sorted(pair) and set(pair) <= set(alone):
            a, b = label.frame.positions
            energy = label.total_energy - sum(alone[z] for z in pair)
            rows.append((float(np.linalg.norm(a - b)), energy))
    return np.array(sorted(rows)).reshape(-1, 2)


def reaches(
    results: Sequence[ModelResult],
    models: Mapping[str, Model],
    labels: Sequence[Label],
    places: Sequence[str],
) -> list[Reach]:
    """Effective receptive field of each network, on test configurations like those trained on.

    ``labels`` are those evaluated, ``places`` the test set of each.
    """
    from zeroflux.potentials.neighbors import pair_list
    from zeroflux.potentials.sensitivity import local_gradient
    from zeroflux.report import Reach

    # Equal shapes compile once: boxes of one size, and as many places for neighbours in all.
    common = Counter(label.n_atoms for label in labels).most_common(1)
    frames = {
        r.name: _home_frames(r, models[r.name], labels, places, n_atoms=common[0][0])
        for r in results
    }
    width: dict[float, int] = {}
    for result in results:
        cutoff = models[result.name].architecture.cutoff
        longest = [pair_list(f, cutoff).neighbors.shape[1] for f in frames[result.name]]
        width[cutoff] = max([width.get(cutoff, 0), *longest])
    found = []
    for result in results:
        model = models[result.name]
        pairs = [
            local_gradient(model, frame, atom, n_neighbors=width[model.architecture.cutoff])
            for frame in frames[result.name]
            for atom in range(min(N_ATOMS, frame.n_atoms))
        ]
        if not pairs:
            continue
        found.append(
            Reach(
                result.trained_on,
                result.architecture,
                result.n_parameters,
                receptive_field(
                    np.concatenate([distance for distance, _ in pairs]),
                    np.concatenate([gradient for _, gradient in pairs]),
                    GRADIENT_EDGES,
                ),
                result.size,
            )
        )
    return found


def _home_frames(
    result: ModelResult,
    model: Model,
    labels: Sequence[Label],
    places: Sequence[str],
    *,
    n_atoms: int,
) -> list[Frame]:
    """A few frames of one size like those trained on, of ``n_atoms`` atoms if there are any."""
    home = [
        label.frame
        for label, place in zip(labels, places, strict=True)
        if result.is_home(place) and set(label.frame.atomic_numbers.tolist()) <= set(model.species)
    ]
    own = [frame for frame in home if frame.n_atoms == n_atoms] or [
        frame for frame in home if frame.n_atoms == home[0].n_atoms
    ]
    if not own:
        return []
    return [own[k] for k in np.unique(np.linspace(0, len(own) - 1, N_FRAMES).astype(int))]


def rigidities(
    results: Sequence[ModelResult],
    *,
    yardstick: Model,
    trained_on: Sequence[Label],
    evaluated: Sequence[Label],
    home: np.ndarray,
    titles: Sequence[str],
    shared: SharedInputs | None = None,
) -> dict[str, RigidityProfile]:
    """Error of models by local prediction rigidity of a linear model of the same training set.

    The rigidity is one yardstick for all: what the totals say of an atom's energy, whatever
    model reads it. ``home`` marks the evaluated atoms on systems like those trained on;
    ``shared`` has the inputs of all frames where several yardsticks read the same.
    """
    from zeroflux.potentials.rigidity import model_rigidity

    rows = np.cumsum([0, *(label.n_atoms for label in evaluated)])
    known = [k for k in range(len(evaluated)) if home[rows[k] : rows[k + 1]].any()]
    frames = [evaluated[k].frame for k in known]
    atoms = np.concatenate([np.arange(rows[k], rows[k + 1]) for k in known])
    rigidity = np.concatenate(
        model_rigidity(
            yardstick,
            frames,
            [x.frame for x in trained_on],
            inputs=None if shared is None else partial(shared.of, yardstick),
        )
    )
    basin = np.concatenate([evaluated[k].basin_energy for k in known])
    species = np.concatenate([evaluated[k].frame.atomic_numbers for k in known])
    keys = np.array([system_name(evaluated[k]) for k in known for _ in range(evaluated[k].n_atoms)])
    profiles = {}
    for title, result in zip(titles, results, strict=True):
        error = result.local_energy[atoms] - basin
        for system in np.unique(keys):
            for z in np.unique(species):
                own = (keys == system) & (species == z)
                if own.any():
                    error[own] -= error[own].mean()
        profiles[title] = rigidity_profile(error, rigidity)
    return profiles
