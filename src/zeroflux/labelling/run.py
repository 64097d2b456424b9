"""Labelling many configurations: each once, written atomically, resumable."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from ase.data import chemical_symbols

from zeroflux.artifacts.atomic import make_folder
from zeroflux.artifacts.extxyz import read_labels, write_labels
from zeroflux.errors import ArtifactError, LabelError, PartitionError, RepairWarning
from zeroflux.execution import Workers, run_tasks
from zeroflux.frames import Frame
from zeroflux.interruption import working_folder
from zeroflux.labelling.backend import Engine
from zeroflux.labelling.dispersion import require_dispersion
from zeroflux.labelling.elements import check_frames, check_overlaps
from zeroflux.labelling.keys import content_key
from zeroflux.labelling.label import Dispersion, Division, label_frame
from zeroflux.labels import BASIN_FIELDS, BasinTerms, Label
from zeroflux.units import ELECTRONVOLT

LABEL_VERSION = 3
"""Raise when a change of the code moves labels by more than 0.05 meV per atom."""

logger = logging.getLogger(__name__)

Provenance = dict[str, str | int | float | bool]


@dataclass(frozen=True, eq=False)
class LabelTask:
    """One configuration to be labelled, and where the label goes."""

    frame: Frame
    info: Provenance
    path: Path
    engine: Engine
    method: Division
    dispersion: Dispersion


def label_structures(
    structures: Sequence[tuple[Frame, Mapping[str, str | int | float | bool]]],
    *,
    engine: Engine,
    folder: Path,
    method: Division = "refined",
    dispersion: Dispersion = "d3bj",
    workers: Workers | None = None,
    known: Sequence[Label] = (),
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Label configurations, leaving alone those whose label is in ``folder`` already.

    Parameters
    ----------
    structures
        Configurations with the provenance that goes into the label's header.
    engine
        Program that solves the Kohn-Sham equations.
    folder
        Where each label is written to a file of its own.
    method, dispersion
        As in `zeroflux.labelling.label.label_frame`.
    workers
        Where the labels are computed; this process by default.
    known
        Labels made before; those of the same configuration and settings are taken as they are.
    on_progress
        Called with the number of labels done and wanted.

    Returns
    -------
    Files of the labels, in the order of the structures.

    Raises
    ------
    LabelError
        If a configuration cannot be treated; nothing is computed then.
    StructureError
        If atoms overlap.
    """
    make_folder(folder)
    paths = label_paths([f for f, _ in structures], engine, folder, method, dispersion)
    for path, (frame, _) in zip(paths, structures, strict=True):
        _drop_if_broken(path, frame)
    by_key = {label.info.get("label_key"): label for label in known}
    for path in paths:
        if not path.exists() and path.stem in by_key:
            write_labels(path, [by_key[path.stem]])
    # In random order (always the same one): what is there before the end is a fair sample.
    order = np.random.default_rng(0).permutation(len(paths))
    todo = {paths[i]: structures[i] for i in order if not paths[i].exists()}
    n_done = len(paths) - sum(path in todo for path in paths)
    if on_progress:
        on_progress(n_done, len(paths))
    if not todo:
        return paths
    if dispersion != "none":
        require_dispersion()
    for frame, _ in todo.values():
        check_overlaps(frame)
    if "pseudopotential" in engine.settings:
        check_frames(
            [frame for frame, _ in todo.values()],
            basis=str(engine.settings["basis"]),
            pseudopotential_name=str(engine.settings["pseudopotential"]),
        )
    symbols = {chemical_symbols[z] for frame, _ in todo.values() for z in frame.atomic_numbers}
    ready = engine.prepared(symbols)
    atoms = {
        f"isolated_energy_{s}_ev": ready.isolated_atom_energy(s) / ELECTRONVOLT
        for s in sorted(symbols)
    }
    tasks = [
        LabelTask(frame, {**info, **atoms}, path, ready, method, dispersion)
        for path, (frame, info) in todo.items()
    ]
    with working_folder(folder):
        for _ in run_tasks(label_to_file, tasks, workers or Workers(kind="serial")):
            n_done += 1
            if on_progress:
                on_progress(n_done, len(paths))
    return paths


def _drop_if_broken(path: Path, frame: Frame) -> None:
    """Remove a label's file that is not whole, or of another configuration, and say so."""
    if not path.exists():
        return
    try:
        labels = read_labels(path, only_converged=False)
        if len(labels) != 1:
            raise ArtifactError(f"{len(labels)} labels in place of one")
        found = labels[0].frame
        if not (
            np.array_equal(found.atomic_numbers, frame.atomic_numbers)
            and np.allclose(found.positions, frame.positions, atol=1e-6)
            and np.allclose(found.cell, frame.cell, atol=1e-6)
        ):
            raise ArtifactError("the label of another configuration")
    except ArtifactError as error:
        logger.warning("%s is broken (%s); this label is made again.", path, error)
        path.unlink()


def label_paths(
    frames: Sequence[Frame], engine: Engine, folder: Path, method: Division, dispersion: Dispersion
) -> list[Path]:
    """Files of the labels of configurations, whether they are there or not."""
    settings = {
        **engine.settings,
        "partition": method,
        "dispersion": dispersion,
        "version": LABEL_VERSION,
    }
    return [folder / f"{content_key(frame, settings)}.extxyz" for frame in frames]


def label_to_file(task: LabelTask) -> Path:
    """Label one configuration and write it; a failure of the data is written as such."""
    if not task.path.exists():
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", RepairWarning)
                label = label_frame(
                    task.frame,
                    engine=task.engine,
                    method=task.method,
                    dispersion=task.dispersion,
                    functional=str(task.engine.settings["functional"]),
                )
            n_repairs = sum(issubclass(w.category, RepairWarning) for w in caught)
            label.info["n_repairs"] = n_repairs
        except PartitionError as error:
            label = _failed(task.frame, str(error))
        provenance = {"label_key": task.path.stem, "label_version": LABEL_VERSION}
        info = {**task.info, **label.info, **provenance}
        write_labels(task.path, [replace(label, info=info)])
    return task.path


def _failed(frame: Frame, reason: str) -> Label:
    nothing = np.full(frame.n_atoms, np.nan)
    return Label(
        frame=frame,
        total_energy=float("nan"),
        terms=BasinTerms(**dict.fromkeys(BASIN_FIELDS, nothing)),
        is_converged=False,
        info={"failure": reason},
    )


def gather_labels(paths: Sequence[Path], out: Path) -> list[Label]:
    """Join single labels into one file; those that did not converge stay in it, marked."""
    labels = [label for path in paths for label in read_labels(path, only_converged=False)]
    if len(labels) != len(paths):
        raise LabelError(
            f"{paths[0].parent}: found {len(labels)} labels in {len(paths)} files; expected one in "
            "each. Label again: those that are broken are made anew."
        )
    if not any(label.is_converged for label in labels):
        raise LabelError(
            f"None of the {len(labels)} configurations converged; expected most to. Look at the "
            "structures, or raise label.max_cycles."
        )
    write_labels(out, labels)
    return labels
