"""Numba's njit, whose cache may fail without stopping a calculation."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numba
from numba.core.caching import FunctionCache

logger = logging.getLogger(__name__)
_said: set[str] = set()


def njit(*, cache: bool = False, **options: Any) -> Callable[[Callable], Any]:
    """`numba.njit`; without a writable place for its cache, functions are compiled in each run.

    In containers and on clusters, package and home directory may be read-only or full.
    """

    def compiled(function: Callable) -> Any:
        dispatcher = numba.njit(**options)(function)
        if cache:
            try:
                dispatcher._cache = _ForgivingCache(function)
            except (RuntimeError, OSError) as error:  # "no locator available"
                _say(error)
        return dispatcher

    return compiled


class _ForgivingCache(FunctionCache):
    """A cache that is left alone when its files cannot be read or written."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except OSError as error:
            _say(error)
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError as error:
            _say(error)


def cache_folder() -> str | None:
    """Where compiled functions of this package are kept, or None if nowhere."""
    try:
        return str(_ForgivingCache(_say).cache_path)
    except (RuntimeError, OSError):
        return None


def _say(error: Exception) -> None:
    """Say once why every run compiles again."""
    if not _said:
        _said.add("said")
        logger.warning(
            "compiled functions cannot be kept (%s), so each run compiles them again; "
            "set NUMBA_CACHE_DIR to a writable directory",
            error,
        )
