"""Tables, figures and the page that shows them."""

from zeroflux.report.data import (
    DimerCurve,
    EnergyTrace,
    JudgedClaim,
    ModelResult,
    RadialDistribution,
    Reach,
    ReportData,
    SeedAmbiguity,
    SizeCell,
    main_cells,
    pooled_rmse,
)
from zeroflux.report.headlines import Headline, headlines
from zeroflux.report.page import write_report

__all__ = [
    "DimerCurve",
    "EnergyTrace",
    "Headline",
    "JudgedClaim",
    "ModelResult",
    "RadialDistribution",
    "Reach",
    "ReportData",
    "SeedAmbiguity",
    "SizeCell",
    "headlines",
    "main_cells",
    "pooled_rmse",
    "write_report",
]
