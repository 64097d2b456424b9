"""Manifests: what an artifact was made from, so that a stage knows whether it is current."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from zeroflux.artifacts.atomic import replace_text
from zeroflux.errors import ArtifactError

SCHEMA_VERSION = 1
"""Raise when the files of a stage change their meaning; older artifacts are then made again."""

NAME = "manifest.json"
RECORDED_PACKAGES = (
    "ase",
    "dftd3",
    "jax",
    "numba",
    "numpy",
    "optax",
    "pyscf",
    "scipy",
    "zeroflux",
)


@dataclass(frozen=True)
class Manifest:
    """What one stage did, and from what."""

    stage: str
    config: Mapping[str, Any]
    """The settings of the stage, every default filled in."""
    inputs: Mapping[str, str]
    """SHA-256 of each file that the stage read, by name."""
    outputs: Mapping[str, str]
    """SHA-256 of each file that the stage wrote, by path within its folder."""
    seed: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, str | int] = field(default_factory=dict)
    started: str = ""
    """UTC time, ISO 8601."""
    wall_s: float = 0.0
    schema_version: int = SCHEMA_VERSION


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def package_versions() -> dict[str, str]:
    """Versions of the installed packages that numbers depend on."""
    versions = {"python": platform.python_version()}
    for name in RECORDED_PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def machine_description() -> dict[str, str | int]:
    """Processor and cores; no names."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {"processor": model, "n_cores": os.cpu_count() or 1}


def read_manifest(folder: Path) -> Manifest | None:
    """Manifest of a stage's folder, or None if the stage has not finished there.

    Raises
    ------
    ArtifactError
        If the manifest is damaged.
    """
    path = Path(folder) / NAME
    if not path.exists():
        return None
    try:
        manifest = Manifest(**json.loads(path.read_text(encoding="utf-8")))
        for name in ("config", "inputs", "outputs"):
            if not isinstance(getattr(manifest, name), dict):
                raise TypeError(f"'{name}' is no object")
        return manifest
    except (ValueError, TypeError, RecursionError, OSError) as error:
        raise ArtifactError(
            f"{path}: not a manifest ({error}); expected one written by zeroflux. Remove the file "
            "to do the stage again."
        ) from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write a manifest; it appears whole or not at all, and last of a stage's files."""
    replace_text(Path(folder) / NAME, json.dumps(asdict(manifest), indent=1) + "\n")


def stale_reason(
    folder: Path, *, config: Mapping[str, Any], inputs: Mapping[str, str]
) -> str | None:
    """Why a stage has to be done (again), or None if its artifact is current."""
    manifest = read_manifest(folder)
    if manifest is None:
        return "not done yet"
    if manifest.schema_version != SCHEMA_VERSION:
        return f"made by schema {manifest.schema_version}, now {SCHEMA_VERSION}"
    settings = json.loads(json.dumps(config))
    if manifest.config != settings:
        changed = [k for k in settings if manifest.config.get(k) != settings[k]]
        return "settings changed: " + ", ".join(changed or ["a field was removed"])
    if dict(manifest.inputs) != dict(inputs):
        return "its input changed"
    for name, digest in manifest.outputs.items():
        path = Path(folder) / name
        if not path.exists():
            return f"{name} is missing"
        if file_hash(path) != digest:
            return f"{name} was changed"
    return None


def hashes(folder: Path, paths: Iterable[Path]) -> dict[str, str]:
    """Hashes of files by their path within a folder."""
    return {str(Path(p).relative_to(folder)): file_hash(p) for p in sorted(paths)}


def utc_now() -> str:
    """Time now, ISO 8601 to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
