"""Stage sample: configurations from Monte Carlo or from a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroflux.artifacts.atomic import replace_text, replacing
from zeroflux.config import Config, SystemConfig, sampling_of
from zeroflux.errors import ConfigError, FileFormatError
from zeroflux.frames import Frame
from zeroflux.stages.machinery import Run, Stage
from zeroflux.units import ANGSTROM, ELECTRONVOLT

if TYPE_CHECKING:
    from ase import Atoms

STRUCTURES = "structures.extxyz"
RADIAL = "radial_distribution.csv"
RECORD = "sampling.csv"
RADIAL_REACH = 10.0 * ANGSTROM


def read_structures(path: Path) -> list[tuple[Frame, dict[str, Any]]]:
    """Configurations with their provenance, from any file that ASE reads.

    Raises
    ------
    FileFormatError
        If ASE cannot read the file or there is nothing in it.
    StructureError
        If a structure has no periodic cell.
    """
    from ase.io import read

    try:
        images = read(path, index=":")
    except Exception as error:  # ASE's readers raise whatever their parser meets
        raise FileFormatError(
            f"{path}: ASE cannot read it ({type(error).__name__}: {error}); expected structures "
            "in a format of ASE, such as extended XYZ or CIF. Check path and format."
        ) from error
    if not isinstance(images, list):
        images = [images]
    if not images:
        raise FileFormatError(f"{path}:1: holds no structure; expected at least one.")
    return with_provenance(images)


def with_provenance(images: Iterable[Atoms]) -> list[tuple[Frame, dict[str, Any]]]:
    """Configurations and what is known of them: the plain values of `Atoms.info`.

    Raises
    ------
    StructureError
        If a structure has no periodic cell.
    """
    keep = (str, int, float, bool, np.integer, np.floating, np.bool_)
    return [
        (
            Frame.from_ase(atoms),
            {
                "system": atoms.get_chemical_formula(),
                **{k: v for k, v in atoms.info.items() if isinstance(v, keep)},
            },
        )
        for atoms in images
    ]


def _work(run: Run, folder: Path) -> Sequence[Path]:
    from ase.io import write

    settings = sampling_of(run.config)
    if settings.from_file is not None:
        structures = read_structures(settings.from_file)
        records: list[dict[str, Any]] = []
    else:
        structures, records = _sampled(run)
    images = []
    for frame, info in structures:
        atoms = frame.to_ase()
        atoms.info.update(info)
        images.append(atoms)
    with replacing(folder / STRUCTURES) as part:
        write(part, images, format="extxyz")
    outputs = [folder / STRUCTURES]
    outputs.append(replace_text(folder / RADIAL, _radial_table(structures)))
    if records:
        outputs.append(replace_text(folder / RECORD, _table(records)))
    run.say(f"  {len(structures)} configurations")
    return outputs


def _sampled(run: Run) -> tuple[list[tuple[Frame, dict[str, Any]]], list[dict[str, Any]]]:
    from zeroflux.sampling import StatePoint, sample_liquid

    settings = sampling_of(run.config)
    points = [(system, point) for system in settings.systems for point in system.state_points]
    seeds = np.random.SeedSequence(settings.seed).generate_state(len(points))
    structures, records = [], []
    for k, ((system, point), seed) in enumerate(zip(points, seeds, strict=True)):
        run.progress("sample", k, len(points))
        try:
            state_point = StatePoint(
                point.composition, point.temperature_kelvin, point.density_per_angstrom3
            )
        except ValueError as error:
            raise ConfigError(f"sample.systems, {system.name}: {error}") from error
        liquid = sample_liquid(
            state_point,
            n_frames=point.n_configurations,
            seed=int(seed),
            cutoff=settings.cutoff_angstrom * ANGSTROM,
            min_stride=settings.min_stride_sweeps,
        )
        _warn_of(run, system, liquid)
        record = {
            "system": system.name,
            "temperature_kelvin": point.temperature_kelvin,
            "density_per_angstrom3": point.density_per_angstrom3,
        }
        records.append(
            {
                **record,
                "n_atoms": state_point.n_atoms,
                "n_configurations": liquid.n_frames,
                "seed": int(seed),
                "acceptance": round(liquid.acceptance, 4),
                "stride_sweeps": liquid.stride,
                "statistical_inefficiency_sweeps": round(liquid.statistical_inefficiency, 2),
                "translational_order_times_n": round(
                    liquid.translational_order * state_point.n_atoms, 2
                ),
                "is_decorrelated": liquid.is_decorrelated,
            }
        )
        for i, frame in enumerate(liquid.frames):
            info = {
                **record,
                "sampling_step": (i + 1) * liquid.stride,
                "sampling_seed": int(seed),
                "pair_energy_ev": float(liquid.energies[i] / ELECTRONVOLT),
            }
            structures.append((frame, info))
    run.progress("sample", len(points), len(points))
    return structures, records


def _warn_of(run: Run, system: SystemConfig, liquid: Any) -> None:
    point = liquid.state_point
    where = f"{system.name} at {point.temperature_kelvin:g} K"
    if not liquid.is_decorrelated:
        run.say(f"  warning: {where}: configurations are not decorrelated (see {RECORD})")
    # A liquid has an order of 8/N to 12/N; a box that froze has much more.
    if liquid.translational_order * point.n_atoms > 14.0:
        run.say(
            f"  warning: {where}: the box of {point.n_atoms} atoms looks frozen (translational "
            f"order {liquid.translational_order:.2f}); another number of atoms, such as 17 or 28, "
            "stays liquid"
        )


def _radial_table(structures: Sequence[tuple[Frame, dict[str, Any]]]) -> str:
    """g(r) of every system and pair of elements, as CSV."""
    from ase.data import chemical_symbols

    from zeroflux.sampling import radial_distribution

    rows: list[dict[str, Any]] = []
    systems = dict.fromkeys(str(info["system"]) for _, info in structures)
    for system in systems:
        frames = [frame for frame, info in structures if info["system"] == system]
        shared = set.intersection(*(set(f.atomic_numbers.tolist()) for f in frames))
        elements = [chemical_symbols[z] for z in sorted(shared)]
        pairs = [(a, b) for i, a in enumerate(elements) for b in elements[i:]]
        for pair in pairs:
            if pair[0] == pair[1] and max(f.n_atoms for f in frames) < 2:
                continue
            found = radial_distribution(frames, pair=pair, r_max=RADIAL_REACH, n_bins=100)
            rows += [
                {
                    "system": system,
                    "pair": "-".join(pair),
                    "distance_angstrom": round(float(r / ANGSTROM), 4),
                    "g": round(float(g), 5),
                }
                for r, g in zip(found.centres, found.values, strict=True)
            ]
    return _table(rows)


def _table(rows: Sequence[dict[str, Any]]) -> str:
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()


def _settings(config: Config) -> dict[str, Any]:
    sample = sampling_of(config)
    settings = sample.model_dump(mode="json")
    settings["from_file"] = sample.from_file is not None
    return settings


def _inputs(run: Run) -> dict[str, Path]:
    source = sampling_of(run.config).from_file
    return {} if source is None else {"structures": source}


SAMPLE = Stage(
    name="sample",
    help="Sample configurations of the liquids",
    settings=_settings,
    inputs=_inputs,
    work=_work,
    seed=lambda config: sampling_of(config).seed,
)
