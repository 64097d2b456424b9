"""Charts and tables hold the numbers they claim to, in meV."""

import csv
import dataclasses
import io

import numpy as np
import pytest
from synthetic_run import synthetic_label

from zeroflux.errors import ArtifactError
from zeroflux.labels import system_name
from zeroflux.report import ReportData, headlines, pooled_rmse
from zeroflux.report.axes import linear_ticks, log_ticks, panel_axes, tick_text
from zeroflux.report.box import boxes
from zeroflux.report.chart import Chart, Panel, Series, chart_csv, chart_tints
from zeroflux.report.chart_json import chart_json
from zeroflux.report.charts import all_charts
from zeroflux.report.colours import KNOWN, tints
from zeroflux.report.table import table_csv
from zeroflux.report.tables import MAX_MODELS, all_tables, model_table
from zeroflux.units import MILLIELECTRONVOLT

N_CHARTS = 19


def chart_named(run: ReportData, name: str) -> Chart:
    """One chart of the report."""
    return next(chart for chart in all_charts(run) if chart.name == name)


def test_every_chart_has_points_inside_its_axes_and_a_caption(run):
    charts = all_charts(run)
    assert len(charts) == N_CHARTS
    found = chart_tints(charts)
    for chart in charts:
        assert chart.caption.endswith(".")
        for panel in chart_json(chart, found)["panels"]:
            values = [v for s in panel["series"] for v in s["y"] if v is not None]
            assert values
            assert panel["y"]["low"] <= min(values) <= max(values) <= panel["y"]["high"]
            assert len(panel["y"]["ticks"]) > 1


def test_a_colour_means_the_same_in_every_panel(run):
    charts = all_charts(run)
    found = chart_tints(charts)
    numbers: dict[str, set[int]] = {}
    for chart in charts:
        for panel, drawn in zip(chart.panels, chart_json(chart, found)["panels"], strict=True):
            for series, shown in zip(panel.series, drawn["series"], strict=True):
                numbers.setdefault(series.key, set()).add(shown["tint"])
    assert len(numbers) > 10
    assert all(len(seen) == 1 for seen in numbers.values())
    assert found["argon Ar"].light == found["argon"].light == KNOWN["argon"].light
    assert found["mixture Kr"] != found["mixture Ar"]


def test_a_name_in_a_legend_has_one_colour_in_all_panels_of_its_chart(run):
    for data in (run, many(run)):
        charts = all_charts(data)
        found = chart_tints(charts)
        for chart in charts:
            colours: dict[str, set[str]] = {}
            for series in (s for panel in chart.panels for s in panel.series):
                colours.setdefault(series.name, set()).add(found[series.key].light)
            assert all(len(c) == 1 for c in colours.values()), (chart.name, colours)


def test_unforeseen_names_get_colours_of_their_own_in_order():
    found = tints(["water", "salt", "argon fcc", "size 30445", "water"])
    assert found["water"].light != found["salt"].light
    assert (found["argon fcc"].light, found["argon fcc"].symbol) == (KNOWN["argon"].light, "square")
    assert found["size 30445"] == tints(["size 30000"])["size 30000"]
    assert len(tints(f"name {k}" for k in range(30))) == 30


def test_no_panel_has_more_than_a_handful_of_lines(run):
    for chart in all_charts(run):
        for panel in chart.panels:
            assert len({s.name for s in panel.series}) <= 7, (chart.name, panel.title)


def test_error_against_size_shows_each_network_at_its_pooled_error_in_mev(run):
    chart = chart_named(run, "error-against-size")
    argon = next(panel for panel in chart.panels if panel.title == "argon")
    points = next(s for s in argon.series if s.kind == "points")
    expected = [pooled_rmse(m.scores, "argon") / MILLIELECTRONVOLT for m in run.main_networks]
    np.testing.assert_allclose(points.y, expected)
    np.testing.assert_array_equal(points.x, [m.n_parameters for m in run.main_networks])
    mean = next(s for s in argon.series if s.kind == "line")
    np.testing.assert_allclose(mean.y, np.reshape(expected, (4, 4)).mean(axis=1))
    assert any(s.kind == "level" and s.name == "E/N" for s in argon.series)


def test_local_parity_shows_every_atom_once_per_size_around_zero(run):
    chart = chart_named(run, "local-parity")
    # the models are at home in argon alone
    n_atoms = sum(
        run.labels[k].n_atoms for k in run.evaluated if system_name(run.labels[k]) == "argon"
    )
    for panel in chart.panels:
        assert sum(len(s.x) for s in panel.series) == n_atoms
        for series in panel.series:
            assert abs(np.mean(np.asarray(series.x, dtype=float))) < 1e-6
    assert len(chart.panels) == 4


def test_label_quality_shows_the_median_closure_of_each_system_in_mev(run):
    series = chart_named(run, "label-quality").panels[0].series[0]
    assert series.high is not None
    for name, median, high in zip(series.x, series.y, series.high, strict=True):
        own = [
            abs(x.closure) / 27 / MILLIELECTRONVOLT for x in run.labels if system_name(x) == name
        ]
        assert median == pytest.approx(np.median(own))
        assert high == pytest.approx(max(own))


def test_pooled_rmse_is_weighted_by_atoms(run):
    scores = run.networks[0].scores
    squares = sum(s.n_atoms * s.rmse.value**2 for s in scores)
    assert pooled_rmse(scores) == pytest.approx(np.sqrt(squares / sum(s.n_atoms for s in scores)))
    assert np.isnan(pooled_rmse([]))


def test_the_box_holds_centred_energies_and_atoms_inside_the_cell(run):
    box = boxes(run)
    assert len(box) == len(run.evaluated)
    joined = np.concatenate([b["fields"]["basin energy"] for b in box if b["system"] == "argon"])
    assert abs(joined.mean()) < 1e-3
    for item in box:
        fractional = np.array(item["positions"]) @ np.linalg.inv(item["cell"])
        assert fractional.min() > -1e-3
        assert fractional.max() < 1.001
        names = list(item["fields"])
        difference = next(name for name in names if name.startswith("local − basin"))
        local = difference.replace("local − basin", "local energy")
        np.testing.assert_allclose(
            np.subtract(item["fields"][local], item["fields"]["basin energy"]),
            item["fields"][difference],
            atol=2e-3,  # three decimals each
        )


def test_tables_write_csv_that_reads_back(run):
    tables = all_tables(run)
    assert {table.name for table in tables} >= {
        "local-energies",
        "shortcuts",
        "slopes",
        "noise-floors",
    }
    for table in tables:
        rows = list(csv.reader(io.StringIO(table_csv(table))))
        assert tuple(rows[0]) == table.columns
        assert len(rows) == len(table.rows) + 1
        assert {len(row) for row in rows} == {len(table.columns)}
    first = model_table(run.models).rows[0]
    assert first[6] == pytest.approx(run.models[0].scores[0].rmse.value / MILLIELECTRONVOLT)


def test_chart_csv_holds_every_point(run):
    chart = chart_named(run, "error-against-size")
    rows = list(csv.DictReader(io.StringIO(chart_csv(chart))))
    assert len(rows) == sum(len(s.y) for panel in chart.panels for s in panel.series)
    assert rows[0]["y_axis"].endswith("(meV)")


def test_headlines_ask_to_read_intervals_and_have_one_for_one_slope(run):
    found = {item.topic: item for item in headlines(run)}
    basis = found["What this rests on"]
    assert basis.outcome.startswith("18 configurations")
    assert "fewer than 100 labels" in basis.sentence
    trend = found["Error against size"]
    assert "95 % interval" in trend.details[0]
    assert trend.text.splitlines()[1].strip() == trend.details[0]
    assert trend.sentence.rpartition(" change the local error by ")[2] == (
        trend.details[0].partition(": ")[2] + "."
    )
    claim = found["Smaller networks decompose more faithfully"]
    assert claim.outcome == run.claims[0].verdict.outcome
    assert "set beforehand" in claim.sentence


def test_unconverged_labels_are_counted_and_left_out(run):
    failed = dataclasses.replace(run.labels[-1], is_converged=False)
    data = ReportData(title="x", labels=[*run.labels[:4], failed])
    evidence = next(h for h in headlines(data) if h.topic == "What this rests on")
    assert evidence.sentence.startswith("4 labelled")
    assert "1 more did not converge" in evidence.sentence
    assert len(boxes(data)) == 4


def test_a_run_without_networks_still_has_a_page():
    rng = np.random.default_rng(0)
    data = ReportData(title="x", labels=[synthetic_label("argon", rng) for _ in range(3)])
    assert {chart.name for chart in all_charts(data)} == {"component-correlation", "label-quality"}
    assert all_tables(data) == ()


def test_a_model_of_other_atoms_is_refused(run):
    short = dataclasses.replace(run.models[0], local_energy=np.zeros(5))
    with pytest.raises(ArtifactError, match="has 5 energies; expected"):
        dataclasses.replace(run, models=[short])


def test_undefined_numbers_become_gaps():
    series = Series("a", [1.0, 2.0], [np.nan, 1.0], low=[np.nan, 0.5], high=[np.nan, 2.0])
    chart = Chart("c", "t", "x.", (Panel("p", "x", "y", (series,), has_diagonal=True),))
    panel = chart_json(chart, chart_tints([chart]))["panels"][0]
    assert panel["series"][0]["y"] == [None, 1]
    assert panel["series"][0]["high"] == [None, 2]
    both, same = panel_axes(chart.panels[0])
    assert both == same
    assert np.isfinite([same.low, same.high]).all()


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.5, 200.0, [1, 10, 100]),
        (9.0, 11_000.0, [10, 100, 1000, 10_000]),
        (18.0, 180.0, [20, 50, 100]),
        (1.4, 2.7, [1.4, 1.6, 1.8, 2.0, 2.2, 2.4, 2.6]),
    ],
)
def test_a_logarithmic_axis_is_marked_at_decades_and_between_only_if_few_fit(low, high, expected):
    assert log_ticks(low, high) == expected
    assert [tick_text(t) for t in (0.1, 10.0, 100_000.0, -2.5)] == ["0.1", "10", "100,000", "−2.5"]
    assert linear_ticks(-1.1, 3.2) == [-1, 0, 1, 2, 3]


def test_a_baseline_that_beats_the_networks_is_named_at_the_top(run):
    perfect = dataclasses.replace(
        run.networks[0],
        name="oracle",
        is_baseline=True,
        scores=tuple(
            dataclasses.replace(s, rmse=dataclasses.replace(s.rmse, value=0.0))
            for s in run.networks[0].scores
        ),
    )
    sentence = {
        with_it: next(
            h.sentence
            for h in headlines(
                dataclasses.replace(run, models=[*run.models, perfect] if with_it else run.models)
            )
            if h.topic == "Local energies from totals"
        )
        for with_it in (False, True)
    }
    assert "oracle (0.0 meV) does better" in sentence[True]
    assert "does better" not in sentence[False]


def test_claims_come_first_with_the_effect_group_by_group(run):
    first = headlines(run)[0]
    assert first.topic == run.claims[0].verdict.criterion.claim
    assert first.basis == "Over the seeds of one training set."
    assert first.details == ("argon, bpnn: a line of its own",)


def test_networks_that_learned_from_fewer_configurations_are_in_the_learning_curve_alone(run):
    assert len(run.networks) == len(run.main_networks) + 4
    curve = chart_named(run, "learning-curve")
    (series,) = curve.panels[0].series  # the one size that was trained on two amounts
    assert list(series.x) == [20, 40]
    few = [m.home_error for m in run.networks if m.n_training_configurations == 20]
    assert series.y[0] == pytest.approx(np.mean(few) / MILLIELECTRONVOLT)


def named_table(data, name):
    return next(table for table in all_tables(data) if table.name == name)


def many(run) -> ReportData:
    """The same run on two training sets, more models than get rows of their own."""
    other = [
        dataclasses.replace(
            m, name=f"{m.name} (mixture)", trained_on="mixture", home_systems=("mixture",)
        )
        for m in run.models
    ]
    data = dataclasses.replace(run, models=[*run.models, *other])
    assert len(data.models) > MAX_MODELS
    return data


def test_many_models_are_shown_as_means_over_seeds(run):
    table = named_table(many(run), "local-energies")
    columns = {name: k for k, name in enumerate(table.columns)}
    row = next(r for r in table.rows if r[:4] == ("argon", "bpnn", 577, 40))
    own = [m for m in run.main_networks if m.n_parameters == 577]
    errors = [m.home_scores[0].rmse.value / MILLIELECTRONVOLT for m in own]
    assert row[columns["seeds"]] == 4
    assert row[columns["local RMSE (meV)"]] == pytest.approx(np.mean(errors))
    assert row[columns["s.d. over seeds (meV)"]] == pytest.approx(np.std(errors, ddof=1))
    assert row[columns["system"]] == "argon"
    assert {r[0] for r in table.rows} == {"argon", "mixture"}
    # baselines keep their place among them, by a name without the training set
    assert {r[1] for r in table.rows} == {"bpnn", "E/N"}


def test_the_transfer_matrix_as_numbers_has_a_row_per_size_and_a_column_per_system(run):
    table = named_table(many(run), "transfer-totals")
    assert table.columns == ("trained on", "model", "parameters", "argon", "mixture")
    row = next(r for r in table.rows if r[:3] == ("mixture", "bpnn", 37))
    expected = np.median(
        [
            next(s.centred_rmse.value for s in m.totals if s.system == "argon")
            for m in run.main_networks
            if m.n_parameters == 37
        ]
    )
    assert row[3] == pytest.approx(expected / MILLIELECTRONVOLT)


def test_panels_of_several_training_sets_show_their_own_systems(run):
    titles = [panel.title for panel in chart_named(many(run), "error-against-size").panels]
    assert titles == [
        "trained on argon, scored on argon",
        "trained on mixture, scored on mixture",
    ]


def test_a_network_that_lacks_an_element_leaves_gaps_and_no_box_field(run):
    data = many(run)
    places = np.repeat(data.evaluated_places, [data.labels[k].n_atoms for k in data.evaluated])
    blind = [
        dataclasses.replace(m, local_energy=np.where(places == "argon", m.local_energy, np.nan))
        if m.trained_on == "argon" and not m.is_baseline
        else m
        for m in data.models
    ]
    data = dataclasses.replace(data, models=blind)
    fields = boxes(data)[0]["fields"]
    assert not any("argon: " in name for name in fields)
    assert any("mixture: " in name for name in fields)
    for chart in all_charts(data):
        chart_json(chart, chart_tints([chart]))
    parity = chart_named(data, "local-parity")
    assert all(np.isfinite(s.y).all() for panel in parity.panels for s in panel.series)


def test_checkpoints_are_means_over_seeds(run):
    (row,) = named_table(run, "checkpoints").rows
    assert row[:3] == ("isolated Ar", "bpnn, 37 parameters", 2)
    assert row[3] == pytest.approx(4.0, abs=1e-6)
    assert row[4] == pytest.approx(np.sqrt(2.0), abs=1e-6)
