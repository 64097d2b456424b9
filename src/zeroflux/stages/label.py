"""Stage label: density functional theory, basins, per-atom energies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from ase.data import chemical_symbols

from zeroflux import plugins
from zeroflux.config import Config, LabelConfig, WorkersConfig
from zeroflux.execution import Workers, n_usable_cores
from zeroflux.frames import Frame
from zeroflux.labelling.backend import Engine
from zeroflux.labels import (
    DOUBTFUL_CLOSURE,
    LARGEST_CLOSURE,
    Label,
    largest_closure,
    require_closed,
)
from zeroflux.stages.machinery import Progress, Run, Stage
from zeroflux.stages.sample import STRUCTURES, read_structures
from zeroflux.units import MILLIELECTRONVOLT

LABELS = "labels.extxyz"
FRAMES = "frames"


def engine_of(
    settings: LabelConfig, *, symbols: Iterable[str] = (), orbital_folder: Path | None = None
) -> Engine:
    """Engine that a configuration asks for, for structures of these elements."""
    from zeroflux.labelling.elements import default_basis, default_cutoff

    basis = settings.basis or default_basis(symbols)
    cutoff = settings.density_cutoff_hartree
    if cutoff is None:
        cutoff = default_cutoff(symbols, settings.pseudopotential)
    if settings.engine == "cp2k":
        from zeroflux.labelling.cp2k import Cp2kEngine

        return Cp2kEngine(
            functional=settings.functional,
            basis=basis,
            pseudopotential=settings.pseudopotential,
            density_cutoff=cutoff,
            max_cycles=settings.max_cycles,
            with_forces=settings.forces,
            with_partitions=settings.partitions,
            command=settings.cp2k_command,
        )
    if settings.engine != "pyscf":
        return plugins.load("engines", settings.engine)(
            settings, basis=basis, density_cutoff=cutoff, orbital_folder=orbital_folder
        )
    from zeroflux.labelling.pyscf import PyscfEngine

    return PyscfEngine(
        functional=settings.functional,
        basis=basis,
        pseudopotential=settings.pseudopotential,
        density_cutoff=cutoff,
        max_cycles=settings.max_cycles,
        with_forces=settings.forces,
        with_partitions=settings.partitions,
        orbital_folder=orbital_folder,
    )


def workers_of(settings: WorkersConfig) -> Workers:
    """Workers that a configuration asks for."""
    return Workers(
        kind=settings.kind,
        n_workers=settings.n_workers or max(1, n_usable_cores() // settings.threads_per_worker),
        threads_per_worker=settings.threads_per_worker,
        scheduler_address=settings.scheduler_address,
        queue=settings.queue,
        queue_options=dict(settings.queue_options),
    )


def label_all(
    structures: Sequence[tuple[Frame, dict[str, Any]]],
    settings: LabelConfig,
    *,
    folder: Path,
    out: Path,
    progress: Progress,
) -> list[Label]:
    """Label structures into single files in a folder, and join them in one file."""
    from zeroflux.artifacts.extxyz import read_labels
    from zeroflux.labelling.run import gather_labels, label_structures

    paths = label_structures(
        structures,
        engine=engine_of(
            settings,
            symbols=symbols_of(frame for frame, _ in structures),
            orbital_folder=folder.with_name("orbitals") if settings.keep_orbitals else None,
        ),
        folder=folder,
        method=settings.partition,
        dispersion=settings.dispersion,
        workers=workers_of(settings.workers),
        known=[label for path in settings.reuse for label in read_labels(path)],
        on_progress=lambda n_done, n_total: progress("label", n_done, n_total),
    )
    return gather_labels(paths, out)


def symbols_of(frames: Iterable[Frame]) -> list[str]:
    """Chemical symbols of the elements in some frames."""
    return [chemical_symbols[z] for z in sorted({int(z) for f in frames for z in f.atomic_numbers})]


def say_closure(labels: Sequence[Label], say: Callable[[str], None]) -> None:
    """Print the largest closure per atom, with a warning where it is too large."""
    closure = largest_closure(labels)
    say(f"  largest closure {closure / MILLIELECTRONVOLT:.3g} meV per atom")
    if closure > DOUBTFUL_CLOSURE:
        use = "" if closure <= LARGEST_CLOSURE else " and are refused as a reference"
        say(
            f"  warning: the densities miss the total energy by more than "
            f"{DOUBTFUL_CLOSURE / MILLIELECTRONVOLT:g} meV per atom{use}: the grid is too coarse "
            "for these elements; raise label.density_cutoff_hartree, or leave it out"
        )


def _work(run: Run, folder: Path) -> Sequence[Path]:
    labels = label_all(
        read_structures(run.folder("sample") / STRUCTURES),
        run.config.label,
        folder=folder / FRAMES,
        out=folder / LABELS,
        progress=run.progress,
    )
    failed = sum(not label.is_converged for label in labels)
    run.say(f"  {len(labels)} labels" + (f", {failed} did not converge" if failed else ""))
    say_closure(labels, run.say)
    require_closed(labels, where=str(folder / LABELS))
    return [folder / LABELS]


def _settings(config: Config) -> dict[str, Any]:
    without = {"workers", "keep_orbitals", "reuse", "cp2k_command"}
    return config.label.model_dump(mode="json", exclude=without)


LABEL = Stage(
    name="label",
    help="Label them with density functional theory and basin energies",
    settings=_settings,
    inputs=lambda run: {"structures": run.folder("sample") / STRUCTURES},
    work=_work,
)
