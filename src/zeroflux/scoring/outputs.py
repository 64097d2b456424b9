"""Scores as JSON, CSV, a page or atoms."""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
from dataclasses import asdict
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zeroflux.errors import ConfigError, missing_extra
from zeroflux.evaluation import Achieved
from zeroflux.report import ReportData, write_report
from zeroflux.report.table import table_csv
from zeroflux.report.tables import model_table
from zeroflux.scoring.reference import write_atoms
from zeroflux.scoring.remarks import convention_words
from zeroflux.scoring.report import ScoreReport
from zeroflux.units import ANGSTROM, ELECTRONVOLT

if TYPE_CHECKING:
    from zeroflux.scoring.pools import PoolsReport

OUTPUTS = (".csv", ".json", ".html", ".extxyz")


def check_output(path: Path, *, has_terms: bool = True, n_pools: int = 1) -> None:
    """Refuse an output that could not be written, before anything is computed.

    The page shows the terms of basin energies; a reference of another origin has none.
    """
    if n_pools > 1 and path.suffix not in (".csv", ".json"):
        raise ConfigError(
            f"{path}: found {n_pools} pools; expected .csv or .json for several. Score one pool "
            "for a page or its atoms."
        )
    if path.suffix == ".html" and not has_terms:
        raise ConfigError(
            f"{path}: the page needs labels of zeroflux, which --reference-key replaces; expected "
            ".csv, .json or .extxyz."
        )
    if path.suffix not in OUTPUTS:
        raise ConfigError(
            f"{path}: unknown kind of output {path.suffix!r}; expected .csv, .json, .html "
            "or .extxyz."
        )
    if path.suffix == ".html" and find_spec("jinja2") is None:
        raise missing_extra("jinja2", "report")
    if not path.parent.is_dir():
        raise ConfigError(
            f"{path}: there is no folder {path.parent}; expected one to write into. Make it first."
        )
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ConfigError(
            f"{path}: cannot be written; expected the name of a file in a folder that can be "
            "written. Name another."
        )


def write_output(report: ScoreReport, path: Path) -> None:
    """Write the report as CSV (local energies), JSON, HTML or atoms by the suffix of the path."""
    check_output(path)
    if path.suffix == ".html":
        write_report(as_report_data(report), path, with_figures=False)
        return
    if path.suffix == ".extxyz":
        write_atoms(report, path)
        return
    text = score_json(report) + "\n" if path.suffix == ".json" else _csv(report)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror}). Name another.") from error


def rows_of(report: ScoreReport | PoolsReport) -> list[dict[str, Any]]:
    """Local scores as records, the columns those of the CSV; of several pools with ``pool``."""
    if not isinstance(report, ScoreReport):
        return [
            {"pool": pool, **row} for pool, one in report.reports.items() for row in rows_of(one)
        ]
    table = model_table(report.models)
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def _csv(report: ScoreReport) -> str:
    return table_csv(model_table(report.models))


def score_json(report: ScoreReport) -> str:
    """The report as JSON with stable keys; energies in eV."""
    return json.dumps(score_payload(report), indent=1)


def achieved_payload(one: Achieved) -> dict[str, object]:
    """A score and its parts, ready for JSON."""
    by_system = {
        name: {**asdict(value), "relative_error": one.relative_error[name]}
        for name, value in one.by_system.items()
    }
    return {"score": asdict(one.score), "by_system": by_system, "undecided": [*one.undecided]}


def score_payload(report: ScoreReport) -> dict[str, object]:
    """The same as a dictionary, ready for JSON."""

    def local(score) -> dict[str, object]:
        plain = asdict(score)
        for key in ("spread", "offset"):
            plain[f"{key}_ev"] = plain.pop(key) / ELECTRONVOLT
        rmse = plain.pop("rmse")
        plain["rmse_ev"] = {k: rmse[k] / ELECTRONVOLT for k in ("value", "low", "high")}
        return plain

    def total(score) -> dict[str, object]:
        plain = asdict(score)
        plain["mean_error_ev"] = plain.pop("mean_error") / ELECTRONVOLT
        for key in ("rmse", "mae", "centred_rmse"):
            estimate = plain.pop(key)
            plain[f"{key}_ev"] = {k: estimate[k] / ELECTRONVOLT for k in ("value", "low", "high")}
        return plain

    def in_ev(by_species) -> dict[str, float]:
        return {str(z): energy / ELECTRONVOLT for z, energy in by_species.items()}

    payload = {
        "schema_version": 1,
        "reference": report.reference,
        "n_configurations": len(report.labels),
        "data_sha256": report.data_sha256,
        "label_versions": _label_versions(report),
        "versions": versions(),
        "models": [
            {
                "name": model.name,
                "architecture": model.architecture,
                "n_parameters": model.n_parameters,
                "is_baseline": model.is_baseline,
                "local": [local(score) for score in model.scores],
                "total": [total(score) for score in model.totals],
            }
            for model in report.models
        ],
        "achieved": {name: achieved_payload(one) for name, one in report.achieved.items()},
        "forces_rmse_ev_per_angstrom": {
            name: {k: getattr(one, k) / (ELECTRONVOLT / ANGSTROM) for k in ("value", "low", "high")}
            for name, one in report.forces.items()
        },
        "conventions": {
            name: {
                "kind": c.kind,
                "omitted_ev": in_ev(c.omitted),
                "zero_shift_ev": in_ev(c.zero_shift),
                "is_shift_unique": c.is_shift_unique,
                "is_tested": c.is_tested,
                "worst_sum_error_ev": c.worst_sum_error / ELECTRONVOLT,
            }
            for name, c in report.conventions.items()
        },
        "rigidity": {
            name: {
                "correlation": p.correlation,
                "rmse_ev_least_rigid_first": [v / ELECTRONVOLT for v in p.rmse],
            }
            for name, p in report.rigidity.items()
        },
        "remarks": list(report.remarks),
        "refused": report.refused,
        "noise_floors_ev": {k: v / ELECTRONVOLT for k, v in asdict(report.noise).items()},
    }
    return without_nan(payload)


def _label_versions(report: ScoreReport) -> list[object]:
    """Versions of the labels, as their headers have them."""
    found = {
        label.info["label_version"] for label in report.labels if "label_version" in label.info
    }
    return sorted(found, key=str)


def versions() -> dict[str, str]:
    """Versions of zeroflux and of the packages of models that were used."""
    names = {"zeroflux": "zeroflux", "numpy": "numpy", "ase": "ase", "torch": "torch"}
    names |= {"chgnet": "chgnet", "sevenn": "sevenn", "mace": "mace-torch", "tblite": "tblite"}
    found = {}
    for module, package in names.items():
        if module in sys.modules:
            with contextlib.suppress(metadata.PackageNotFoundError):
                found[package] = metadata.version(package)
    return found


def without_nan(value: Any) -> Any:
    """The same with NaN and infinity, which JSON lacks, as null."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def as_report_data(report: ScoreReport) -> ReportData:
    """The same as data of a page."""
    return ReportData(
        title="Scores of per-atom energies",
        labels=report.labels,
        evaluated=range(len(report.labels)),
        models=report.models,
        noise=report.noise,
        rigidity=report.rigidity,
        achieved=report.achieved,
        provenance={
            "Reference": {"local energies are held against": report.reference},
            "Conventions": {
                name: convention_words(convention)
                for name, convention in report.conventions.items()
            },
            **({"Remarks": dict(enumerate(report.remarks, 1))} if report.remarks else {}),
            **({"Left out": report.refused} if report.refused else {}),
        },
    )
