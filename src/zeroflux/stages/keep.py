"""The configuration that a run directory keeps: whose artifacts are these?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zeroflux.artifacts.atomic import cannot_write, replace_text
from zeroflux.artifacts.manifest import NAME
from zeroflux.config_file import load_config
from zeroflux.errors import ConfigError, ZerofluxError
from zeroflux.stages.machinery import Run

CONFIG = "config.yaml"
_NO_RESULT = ("workers", "cp2k_command", "keep_orbitals", "reuse")
_SHOWN = 5


def keep_config(run: Run) -> None:
    """Write the configuration to the directory, unless finished work there is another one's.

    Raises
    ------
    ConfigError
        If a stage is finished there, the configuration differs in what results depend on, and
        the run is not forced.
    """
    if run.config_text is None:
        return
    kept = run.out / CONFIG
    try:
        if kept.exists() and kept.read_text(encoding="utf-8") == run.config_text:
            return
    except OSError as error:
        raise cannot_write(kept, error) from error
    if kept.exists() and not run.is_forced and any(run.out.glob(f"*/{NAME}")):
        try:
            before = load_config(kept).model_dump()
        except ZerofluxError:
            before = {}  # an older version's, or damaged
        found = list(_differences(before, run.config.model_dump()))
        if found:
            more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
            raise ConfigError(
                f"{run.out} holds a run of another configuration, which differs in "
                f"{', '.join(found[:_SHOWN])}{more}; expected the same. Give another directory "
                "with --out, or --force to do again what depends on it."
            )
    replace_text(kept, run.config_text)


def _differences(before: Any, after: Any, where: str = "") -> Iterator[str]:
    """Settings that results depend on, with their two values."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys([*before, *after]):
            if name not in _NO_RESULT:
                place = f"{where}.{name}" if where else name
                yield from _differences(before.get(name), after.get(name), place)
    elif _plain(before) != _plain(after):
        yield f"{where} ({_short(before)} → {_short(after)})"


def _plain(value: Any) -> Any:
    """Paths as absolute ones, lists and tuples alike."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.resolve() if isinstance(value, Path) else value


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "..."
