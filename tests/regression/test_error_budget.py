"""docs/error-budget.md says what its record says: tables by the row, the summary by its bounds."""

import importlib
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "benchmarks" / "error_budget"
PAGE = (ROOT / "docs" / "error-budget.md").read_text(encoding="utf-8")
RECORD = json.loads((FOLDER / "error_budget.json").read_text(encoding="utf-8"))
PURE, ALL = ["argon", "krypton"], ["argon", "krypton", "mixture"]


@pytest.fixture(scope="module")
def make():
    """The script that writes the tables."""
    pytest.importorskip("matplotlib")
    sys.path.insert(0, str(FOLDER))
    yield importlib.import_module("make")
    sys.path.remove(str(FOLDER))


def between_marks(name: str) -> list[str]:
    body = PAGE.partition(f"<!-- table: {name} -->\n")[2].partition("<!-- end -->")[0]
    return body.splitlines()


def errors(system: str, predictor: str, trained: list[str] | None = None) -> list[float]:
    """Errors of every species of a system (meV)."""
    found = [
        row["rmse_mev"][0]
        for row in RECORD["shortcuts"]
        if (row["system"], row["predictor"]) == (system, predictor)
        and row["trained_on"] == (trained or [system])
    ]
    assert found
    return found


def test_every_mark_of_the_page_is_filled():
    for part in PAGE.split("<!-- table: ")[1:]:
        name, _, rest = part.partition(" -->\n")
        assert rest.startswith("|"), name


def test_the_table_of_shortcuts_is_the_record(make):
    rows = [row for row in RECORD["shortcuts"] if row["trained_on"] == [row["system"]]]
    expected = make.shortcut_table(rows, make.SHOWN).splitlines()
    assert len(expected) > 20
    assert between_marks("shortcut") == expected
    # Control: a number changed by hand would be seen.
    rows[0]["rmse_mev"][0] += 0.1
    assert make.shortcut_table(rows, [rows[0]["predictor"]]) not in PAGE


def test_pure_liquids_one_term_leaves_two_to_five_and_two_leave_one():
    assert all(2.0 < e < 5.6 for s in PURE for p in ("es", "t", "t+es") for e in errors(s, p))
    assert all(e < 1.1 for s in PURE for e in errors(s, "t,xc"))


def test_in_the_mixture_one_and_two_terms_fail_and_three_do_not():
    few = ["es", "xc,es", "t+xc", "t+es", "t,xc", "t,nl"]
    assert all(3.5 < e < 15.5 for p in few for e in errors("mixture", p))
    assert all(e < 1.15 for e in errors("mixture", "t,xc,es"))
    assert all(e < 2.8 for e in errors("mixture", "t,xc,es", PURE))


def test_the_zero_of_the_potential_explains_the_gauge():
    neutral = [
        row["rms_change_mev"]
        for row in RECORD["gauge"]
        if (row["system"], row["gauge"]) == ("mixture", "half_neutral")
    ]
    assert len(neutral) == 2
    assert all(2.0 < change < 3.0 for change in neutral)
    fitted = RECORD["surface_potential"]
    assert abs(fitted["volt"] + 3.25) < 0.05
    assert fitted["rms_left_mev"] < 0.1 * fitted["rms_change_mev"]


def test_direct_energies_are_local():
    assert {row["system"] for row in RECORD["locality"]} == set(ALL)
    assert all(row["rmse_mev"] < 0.15 * row["spread_mev"] for row in RECORD["locality"])
