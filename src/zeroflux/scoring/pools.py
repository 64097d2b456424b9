"""``zeroflux score`` over several pools: each as if alone, and one summary."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from zeroflux.data import names
from zeroflux.errors import ConfigError, ModelError
from zeroflux.evaluation import Achieved, pooled_achieved
from zeroflux.report.table import Table, table_csv
from zeroflux.report.tables import model_table
from zeroflux.scoring.baselines import stream
from zeroflux.scoring.models import Model, row_names
from zeroflux.scoring.outputs import achieved_payload, score_payload, without_nan
from zeroflux.scoring.report import ScoreReport


@dataclass(frozen=True, eq=False)
class PoolsReport:
    """Scores on several pools."""

    reports: dict[str, ScoreReport]
    """By the name of the pool; those on which nothing could be scored are missing."""
    achieved: dict[str, Achieved]
    """Over all pools, by the name of the model."""
    missing: dict[str, tuple[str, ...]]
    """Pools on which a model could not be scored, by its name."""


def pools_of(data: Path) -> list[Path]:
    """The files or pools that DATA names: itself, parts between commas, or ``all`` pools.

    A file of that very name comes first.

    Raises
    ------
    ConfigError
        If one is named twice or not at all.
    """
    given = str(data)
    if data.exists():
        return [data]
    if given == "all":
        return [Path(name) for name in names()]
    parts = [part.strip() for part in given.split(",")]
    if not all(parts) or len(set(parts)) < len(parts):
        raise ConfigError(
            f"{given}: found an empty or repeated name; expected pools or files with commas "
            "between them, each once."
        )
    return [Path(part) for part in parts]


def run_pools(
    pools: Sequence[Path],
    models: Sequence[Model],
    scored: Callable[[Path, Sequence[Model]], ScoreReport],
    *,
    seed: int,
    tell: Callable[[str], object],
) -> PoolsReport:
    """Score models on each pool as if alone; ``{pool}`` in a model is the name of the pool.

    Raises
    ------
    ModelError
        If no pool could be scored.
    """
    models = _named(models)
    labels = row_names([str(pool) for pool in pools])
    reports = {}
    for label, pool in zip(labels, pools, strict=True):
        tell(f"{label}:")
        stem = row_names([str(pool)])[0]
        try:
            reports[label] = scored(pool, [_in_pool(model, stem) for model in models])
        except ModelError as error:
            tell(f"error: {label}: {error}")
    if not reports:
        raise ModelError("No pool can be scored. See the lines above.")
    rows = dict.fromkeys(name for report in reports.values() for name in report.achieved)
    rows = dict.fromkeys([*row_names(models), *rows])
    found = {
        name: {p: reports[p].achieved.get(name) if p in reports else None for p in labels}
        for name in rows
    }
    achieved = {
        name: pooled_achieved(by_pool, rng=stream(seed, "pools")) for name, by_pool in found.items()
    }
    baselines = {m.name for report in reports.values() for m in report.models if m.is_baseline}
    missing = {
        name: tuple(pool for pool, one in by_pool.items() if one is None)
        for name, by_pool in found.items()
        if name not in baselines and None in by_pool.values()
    }
    return PoolsReport(reports, achieved, missing)


def _named(models: Sequence[Model]) -> list[Model]:
    """Every model with its row's name before it: the same row in all pools."""
    from zeroflux.predict import named

    rows = row_names([_in_pool(model, "") for model in models])
    return [
        f"{row}={model}" if isinstance(model, str) and not named(model)[0] else model
        for row, model in zip(rows, models, strict=True)
    ]


def _in_pool(model: Model, pool: str) -> Model:
    """A model whose file has ``{pool}`` in its name."""
    return model.replace("{pool}", pool) if isinstance(model, str) else model


def write_pools(several: PoolsReport, path: Path) -> None:
    """Write everything as JSON, or the tables of local energies with their pool as CSV."""
    if path.suffix == ".json":
        payload = {
            "schema_version": 1,
            "achieved": {name: achieved_payload(one) for name, one in several.achieved.items()},
            "missing": {name: [*pools] for name, pools in several.missing.items()},
            "pools": {pool: score_payload(report) for pool, report in several.reports.items()},
        }
        text = json.dumps(without_nan(payload), indent=1) + "\n"
    else:
        tables = {pool: model_table(report.models) for pool, report in several.reports.items()}
        first = next(iter(tables.values()))
        rows = tuple((pool, *row) for pool, table in tables.items() for row in table.rows)
        columns = ("pool", *first.columns)
        text = table_csv(Table(first.name, first.title, first.caption, columns, rows))
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror}). Name another.") from error
