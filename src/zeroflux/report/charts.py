"""The charts of a report in the order of the page: hartree in, meV out."""

from __future__ import annotations

from zeroflux.report.chart import Chart
from zeroflux.report.data import ReportData
from zeroflux.report.label_charts import label_quality, radial_distributions, sampling_traces
from zeroflux.report.local_charts import (
    error_against_size,
    error_by_size,
    error_ladder,
    local_parity,
    total_parity,
)
from zeroflux.report.shortcut_charts import (
    component_correlation,
    shortcut_errors,
    shortcut_overview,
    shortcut_parity,
)
from zeroflux.report.study_charts import (
    error_by_rigidity,
    learning_curve,
    receptive_fields,
    seed_ambiguity,
    size_slopes,
    transfer_correlation,
)
from zeroflux.report.transfer_charts import dimer_curves, fidelity_transfer, transfer_matrix

CHARTS = (
    error_by_size,
    error_ladder,
    size_slopes,
    error_against_size,
    learning_curve,
    local_parity,
    total_parity,
    transfer_correlation,
    transfer_matrix,
    fidelity_transfer,
    dimer_curves,
    error_by_rigidity,
    receptive_fields,
    seed_ambiguity,
    shortcut_overview,
    component_correlation,
    shortcut_errors,
    shortcut_parity,
    sampling_traces,
    radial_distributions,
    label_quality,
)


def all_charts(data: ReportData) -> tuple[Chart, ...]:
    """All charts the data allow."""
    return tuple(chart for make in CHARTS if (chart := make(data)) is not None)
