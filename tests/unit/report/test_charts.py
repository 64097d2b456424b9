"""Charts and tables hold the numbers they claim to, in meV."""

import csv
import dataclasses
import io

import numpy as np
import plotly.graph_objects as go
import pytest
from synthetic_run import synthetic_label

from zeroflux.errors import ArtifactError
from zeroflux.labels import system_name
from zeroflux.report import ReportData, headlines, pooled_rmse
from zeroflux.report.box import boxes
from zeroflux.report.chart import Chart, Panel, Series, chart_csv, log_ticks, shared_range
from zeroflux.report.charts import all_charts
from zeroflux.report.plotly_chart import plotly_figure
from zeroflux.report.table import table_csv
from zeroflux.report.tables import MAX_MODELS, all_tables, model_table
from zeroflux.units import MILLIELECTRONVOLT

N_CHARTS = 17


def chart_named(run: ReportData, name: str) -> Chart:
    """One chart of the report."""
    return next(chart for chart in all_charts(run) if chart.name == name)


def test_every_chart_is_a_figure_that_plotly_accepts(run):
    charts = all_charts(run)
    assert len(charts) == N_CHARTS
    for chart in charts:
        figure = go.Figure(plotly_figure(chart))  # raises on any unknown property
        assert len(list(figure.data)) >= len(chart.panels)
        assert chart.caption.endswith(".")


def test_control_plotly_refuses_a_property_that_does_not_exist(run):
    figure = plotly_figure(all_charts(run)[0])
    figure["layout"]["xaxis"]["colour"] = "red"
    with pytest.raises(ValueError, match="colour"):
        go.Figure(figure)


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


def test_label_quality_shows_closure_per_atom_in_mev(run):
    closure = chart_named(run, "label-quality").panels[0].series[0]
    own = [label for label in run.labels if system_name(label) == closure.name]
    np.testing.assert_allclose(
        closure.y, [label.closure / 27 / MILLIELECTRONVOLT for label in own], atol=1e-12
    )


def test_pooled_rmse_is_weighted_by_atoms(run):
    scores = run.networks[0].scores
    squares = sum(s.n_atoms * s.rmse.value**2 for s in scores)
    assert pooled_rmse(scores) == pytest.approx(np.sqrt(squares / sum(s.n_atoms for s in scores)))
    assert np.isnan(pooled_rmse([]))


def test_the_box_holds_centred_energies_and_atoms_inside_the_cell(run):
    box = boxes(run)
    assert len(box) == len(run.evaluated)
    joined = np.concatenate(
        [b["fields"]["basin energy"] for b in box if b["name"].split()[2] == "argon,"]
    )
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


def test_headlines_call_little_data_thin_and_quote_the_interval(run):
    found = {item.topic: item for item in headlines(run)}
    assert found["Evidence"].outcome == "thin"
    assert "fewer than 100 labels" in found["Evidence"].sentence
    trend = found["Error against size"]
    assert "95 % interval" in trend.details[0]
    assert trend.text.splitlines()[1].strip() == trend.details[0]
    claim = found["Smaller networks decompose more faithfully"]
    assert claim.outcome == run.claims[0].verdict.outcome
    assert "set beforehand" in claim.sentence


def test_unconverged_labels_are_counted_and_left_out(run):
    failed = dataclasses.replace(run.labels[-1], is_converged=False)
    data = ReportData(title="x", labels=[*run.labels[:4], failed])
    evidence = next(h for h in headlines(data) if h.topic == "Evidence")
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
    trace = plotly_figure(chart)["data"][1]
    assert trace["y"] == [None, 1.0]
    assert trace["error_y"]["array"] == [None, 1.0]
    assert np.isfinite(shared_range(chart.panels[0])).all()


@pytest.mark.parametrize(
    ("x", "expected"), [([20, 40], [20, 40]), ([10, 10_000], None), ([], None)]
)
def test_a_short_logarithmic_axis_is_marked_at_its_values(x, expected):
    panel = Panel("p", "x", "y", (Series("a", x, [1.0] * len(x)),), is_x_log=True)
    assert log_ticks(panel) == expected


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
    assert "oracle does better" in sentence[True]
    assert "does better" not in sentence[False]


def test_claims_come_first_with_the_effect_group_by_group(run):
    first = headlines(run)[0]
    assert first.topic == run.claims[0].verdict.criterion.claim
    assert first.sentence.endswith("Over the seeds of one training set.")
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
        plotly_figure(chart)
    parity = chart_named(data, "local-parity")
    assert all(np.isfinite(s.y).all() for panel in parity.panels for s in panel.series)


def test_checkpoints_are_means_over_seeds(run):
    (row,) = named_table(run, "checkpoints").rows
    assert row[:3] == ("isolated Ar", "bpnn, 37 parameters", 2)
    assert row[3] == pytest.approx(4.0, abs=1e-6)
    assert row[4] == pytest.approx(np.sqrt(2.0), abs=1e-6)
