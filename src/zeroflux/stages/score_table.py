"""Scores of many models as two long CSV files: a row per model, test set, system and element."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from ase.data import atomic_numbers, chemical_symbols

from zeroflux.artifacts.atomic import replacing
from zeroflux.evaluation import Estimate, SpeciesScore, TotalScore
from zeroflux.units import MILLIELECTRONVOLT

MODEL_COLUMNS = (
    *("model", "architecture", "n_parameters", "size", "seed", "training_set", "n_training"),
    *("target", "is_baseline", "test_set", "system"),
)
ENERGIES = {"spread", "rmse", "offset", "mae", "mean_error", "centred_rmse"}
"""Scores in units of energy; the others are pure numbers."""
PREFIX = {SpeciesScore: "local_", TotalScore: "total_"}


def write_scores(
    local_path: Path,
    totals_path: Path,
    scored: Iterable[tuple[Any, str, Sequence[SpeciesScore], Sequence[TotalScore]]],
) -> None:
    """Write local scores and scores of totals (meV, per atom), row by row.

    ``scored`` gives, for each model and test set, the model's entry, the test set's name, and
    the scores by system (and element).
    """
    with ExitStack() as stack:
        writers = []
        for path, kind, more in (
            (local_path, SpeciesScore, ["element", "total_rmse_mev_per_atom"]),
            (totals_path, TotalScore, []),
        ):
            part = stack.enter_context(replacing(path))
            handle = stack.enter_context(part.open("w", encoding="utf-8", newline=""))
            writer = csv.DictWriter(
                handle, [*MODEL_COLUMNS, *more, *columns(kind)], lineterminator="\n"
            )
            writer.writeheader()
            writers.append(writer)
        for entry, test_set, local, totals in scored:
            model = {
                "model": entry.name,
                "training_set": entry.trained_on,
                "test_set": test_set,
                **{k: v for k, v in asdict(entry).items() if k in MODEL_COLUMNS},
            }
            of_system = {score.system: score.rmse.value for score in totals}
            for score in local:
                total = of_system[score.system] / MILLIELECTRONVOLT
                writers[0].writerow(
                    {
                        **model,
                        "system": score.system,
                        "element": chemical_symbols[score.species],
                        "total_rmse_mev_per_atom": f"{total:.6g}",
                        **_flat(score),
                    }
                )
            for score in totals:
                writers[1].writerow({**model, "system": score.system, **_flat(score)})


def columns(kind: type[SpeciesScore] | type[TotalScore]) -> list[str]:
    """Columns of the numbers of a score."""
    names = []
    for field in fields(kind):
        if field.name in ("system", "species"):
            continue
        base = _column(kind, field.name)
        names.append(base)
        if field.type == "Estimate":
            names += [_bound(base, "low"), _bound(base, "high")]
    return names


def _column(kind: type, name: str) -> str:
    """Such as ``local_rmse_mev`` or ``pearson``."""
    if name not in ENERGIES:
        return name
    prefix = "" if name in ("spread", "offset") else PREFIX[kind]
    return f"{prefix}{name}_mev" + ("_per_atom" if kind is TotalScore else "")


def _bound(base: str, end: str) -> str:
    stem, unit, rest = base.partition("_mev")
    return f"{stem}_{end}{unit}{rest}"


def _flat(score: SpeciesScore | TotalScore) -> dict[str, str | int]:
    row: dict[str, str | int] = {}
    for field in fields(score):
        if field.name in ("system", "species"):
            continue
        value, base = getattr(score, field.name), _column(type(score), field.name)
        unit = MILLIELECTRONVOLT if field.name in ENERGIES else 1.0
        if isinstance(value, Estimate):
            row[base] = f"{value.value / unit:.6g}"
            row[_bound(base, "low")] = f"{value.low / unit:.6g}"
            row[_bound(base, "high")] = f"{value.high / unit:.6g}"
        else:
            row[base] = value if isinstance(value, int) else f"{value / unit:.6g}"
    return row


def read_scores(
    local_path: Path, totals_path: Path
) -> tuple[dict[str, list[SpeciesScore]], dict[str, list[TotalScore]]]:
    """Scores written by `write_scores`, by the name of the model (hartree)."""
    local: dict[str, list[SpeciesScore]] = {}
    totals: dict[str, list[TotalScore]] = {}
    for row in _rows(local_path):
        more = {"species": atomic_numbers[row["element"]]}
        local.setdefault(row["model"], []).append(
            SpeciesScore(system=row["system"], **more, **_values(row, SpeciesScore))
        )
    for row in _rows(totals_path):
        totals.setdefault(row["model"], []).append(
            TotalScore(system=row["system"], **_values(row, TotalScore))
        )
    return local, totals


def _rows(path: Path) -> Iterable[Mapping[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        yield from csv.DictReader(handle)


def _values(row: Mapping[str, str], kind: type[SpeciesScore] | type[TotalScore]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for field in fields(kind):
        if field.name in ("system", "species"):
            continue
        base = _column(kind, field.name)
        unit = MILLIELECTRONVOLT if field.name in ENERGIES else 1.0
        if field.type == "Estimate":
            names = (base, _bound(base, "low"), _bound(base, "high"))
            values[field.name] = Estimate(*(float(row[name]) * unit for name in names))
        elif field.type == "int":
            values[field.name] = int(row[base])
        else:
            values[field.name] = float(row[base]) * unit
    return values
