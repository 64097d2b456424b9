"""Ranges, marks and their text of a panel's axes, the same on the page and in files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from zeroflux.report.chart import Panel

MARGIN = 0.05
"""Share of an axis left free at either end."""


@dataclass(frozen=True)
class Axis:
    """A range with the values to mark."""

    low: float
    high: float
    ticks: tuple[float, ...]
    is_log: bool = False


def panel_axes(panel: Panel) -> tuple[Axis | None, Axis]:
    """Axes of x and y; no x axis where it holds names."""
    y = _finite(v for s in panel.series for vs in (s.y, s.low, s.high) for v in _values(vs))
    if panel.has_categories:
        return None, _axis(y, is_log=panel.is_y_log, from_zero=panel.is_y_from_zero)
    x = _finite(v for s in panel.series if s.kind != "level" for v in s.x)
    if panel.has_diagonal:
        both = _axis(np.concatenate([x, y]))
        return both, both
    return (
        _axis(x, is_log=panel.is_x_log),
        _axis(y, is_log=panel.is_y_log, from_zero=panel.is_y_from_zero),
    )


def _values(values: object) -> Iterable[float]:
    return () if values is None else values  # type: ignore[return-value]


def _finite(values: Iterable[object]) -> np.ndarray:
    """Those that are finite."""
    found = np.array([float(v) for v in values], dtype=np.float64)  # type: ignore[arg-type]
    return found[np.isfinite(found)]


def _axis(values: np.ndarray, *, is_log: bool = False, from_zero: bool = False) -> Axis:
    """Axis that shows all values."""
    if is_log:
        values = values[values > 0]
        low, high = (values.min(), values.max()) if values.size else (1.0, 10.0)
        margin = max((high / low) ** MARGIN, 1.15)
        low, high = float(low / margin), float(high * margin)
        return Axis(low, high, tuple(log_ticks(low, high)), is_log=True)
    low, high = (values.min(), values.max()) if values.size else (0.0, 1.0)
    margin = MARGIN * (high - low) or 0.5 * abs(high) or 1.0
    low, high = float(low - margin), float(high + margin)
    if from_zero:
        low = min(0.0, low + margin)
    return Axis(low, high, tuple(linear_ticks(low, high)))


def linear_ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round values between two ends, about as many as wanted."""
    raw = (high - low) / wanted
    power = 10.0 ** np.floor(np.log10(raw))
    step = power * min((1, 2, 5, 10), key=lambda s: abs(np.log(s * power / raw)))
    first, last = int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9))
    return [round(k * step, 12) for k in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Decades; where fewer than two fit, 1, 2, 5 of each; on a short axis round values."""
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    for steps in ((1.0,), (1.0, 2.0, 5.0)):
        ticks = [float(f"{step * 10.0**decade:.6g}") for decade in decades for step in steps]
        inside = [tick for tick in ticks if low <= tick <= high]
        if len(inside) > 2 or (len(inside) == 2 and len(steps) == 1):
            return inside
    return [tick for tick in linear_ticks(low, high) if tick > 0]


def tick_text(value: float) -> str:
    """A mark as text, in full: 0.1, 1, 10, 10,000."""
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return text.replace("-", "\N{MINUS SIGN}")
