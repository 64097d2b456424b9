"""Compiled functions where their cache cannot be written."""

import sys
from pathlib import Path

import pytest
from numba.core.caching import CacheImpl, IndexDataCacheFile

import zeroflux
from zeroflux import compilation

MODULE = """
from zeroflux.compilation import njit

@njit(cache=True, nogil=True)
def twice(x):
    return 2.0 * x
"""


@pytest.fixture
def twice(tmp_path, monkeypatch):
    """Import a function with a cache from a file of its own."""

    def imported():
        (tmp_path / "module_with_kernel.py").write_text(MODULE)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "module_with_kernel", raising=False)
        monkeypatch.setattr(compilation, "_said", set())
        import module_with_kernel  # type: ignore[import-not-found]

        return module_with_kernel.twice

    return imported


def test_a_cache_is_kept_where_it_can_be_written(twice, tmp_path, caplog):
    assert twice()(4.0) == 8.0
    assert list(tmp_path.rglob("*.nbi"))
    assert not caplog.records


def test_without_any_place_for_a_cache_functions_are_compiled_and_it_is_said_once(
    twice, tmp_path, caplog, monkeypatch
):
    monkeypatch.setattr(CacheImpl, "_locator_classes", [])
    assert twice()(4.0) == 8.0
    assert not list(tmp_path.rglob("*.nbi"))
    assert len(caplog.records) == 1
    assert "NUMBA_CACHE_DIR" in caplog.text


@pytest.mark.parametrize("method", ["save", "load"])
def test_a_cache_that_fails_later_does_not_stop_a_calculation(twice, caplog, monkeypatch, method):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(IndexDataCacheFile, method, fail)
    assert twice()(4.0) == 8.0
    assert len(caplog.records) == 1


def test_every_kernel_is_compiled_where_no_cache_can_be_written():
    """By the one wrapper that stands it: numba's own `njit` would stop the command."""
    source = Path(zeroflux.__file__).parent
    texts = {path.name: path.read_text("utf-8") for path in source.rglob("*.py")}
    own = [name for name, text in texts.items() if "from numba import njit" in text]
    assert own == []
    assert "njit" in texts["_plateau_kernels.py"]  # control: there are kernels to look at
