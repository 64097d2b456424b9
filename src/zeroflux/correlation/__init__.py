"""Semi-empirical correlation of energy components: the shortcut to per-atom energies."""

from zeroflux.correlation.comparison import (
    ShortcutComparison,
    ShortcutResult,
    compare_shortcuts,
    fit_locally,
)
from zeroflux.correlation.components import (
    STANDARD_PREDICTORS,
    ComponentTable,
    Predictor,
    component_table,
    isolated_energies,
    predictor,
)
from zeroflux.correlation.shortcut import (
    ShortcutEnergies,
    ShortcutFit,
    fit_shortcut,
    shortcut_energies,
)

__all__ = [
    "STANDARD_PREDICTORS",
    "ComponentTable",
    "Predictor",
    "ShortcutComparison",
    "ShortcutEnergies",
    "ShortcutFit",
    "ShortcutResult",
    "compare_shortcuts",
    "component_table",
    "fit_locally",
    "fit_shortcut",
    "isolated_energies",
    "predictor",
    "shortcut_energies",
]
