"""Surfaces of basins, and the page that shows them, as text and in a real Chromium."""

import json
import re

import numpy as np
import pytest
from devtools import CHROMIUM, Page

from zeroflux.errors import ConfigError
from zeroflux.report.basins_page import BasinResult, basins_page, column_title
from zeroflux.report.surface import basin_surfaces

CELLS = (10.0 * np.eye(3), np.array([[8.0, 0.0, 0.0], [3.0, 9.0, 0.0], [1.0, 2.0, 10.0]]))


def nearest_owners(cell, positions, shape):
    """Owners by the nearest periodic image of a nucleus: basins of known shape."""
    fractional = np.stack(np.meshgrid(*[np.arange(n) / n for n in shape], indexing="ij"), -1)
    best, owners = np.full(shape, np.inf), np.zeros(shape, dtype=np.int64)
    for atom, position in enumerate(positions):
        offset = fractional - position @ np.linalg.inv(cell)
        offset -= np.round(offset)
        distance = np.min(
            [
                np.linalg.norm((offset + np.array(step) - 1) @ cell, axis=-1)
                for step in np.ndindex(3, 3, 3)
            ],
            axis=0,
        )
        owners[distance < best] = atom
        best = np.minimum(best, distance)
    return owners


def made_up(n_atoms, n_points=40, cell=CELLS[0]):
    rng = np.random.default_rng(1)
    positions = rng.random((n_atoms, 3)) @ cell
    owners = nearest_owners(cell, positions, (n_points,) * 3)
    volume = np.bincount(owners.ravel(), minlength=n_atoms) * np.linalg.det(cell) / owners.size
    charge = rng.normal(size=n_atoms)
    totals = {"sum": volume.sum(), "grid_total": volume.sum(), "difference": 1e-12}
    return BasinResult(
        source="</script><b>rho.cube</b>",
        elements=["Na", "Cl"] * (n_atoms // 2),
        positions=positions,
        cell=cell,
        columns={"volume": volume, "charge": charge - charge.mean()},
        totals={"volume": totals},
        owners=owners,
        method="weight",
        remarks=["Something was repaired."],
    )


@pytest.mark.parametrize("cell", CELLS)
def test_a_surface_is_closed_faces_outwards_and_holds_the_basins_volume(cell):
    result = made_up(6, 48, cell)
    volumes = result.columns["volume"]
    assert result.owners is not None
    surfaces = basin_surfaces(
        result.owners, cell=cell, origin=np.zeros(3), positions=result.positions, points_across=12
    )
    for surface, volume, position in zip(surfaces, volumes, result.positions, strict=True):
        assert surface is not None
        edges = np.concatenate([surface.facets[:, [k, (k + 1) % 4]] for k in range(4)])
        # every edge as often one way as the other: closed, and oriented as a whole
        there, back = (e[np.lexsort(e.T)] for e in (edges, edges[:, ::-1]))
        np.testing.assert_array_equal(there, back)
        # positive: outwards; smoothing rounds corners off, which costs up to a tenth at this size
        assert 0.88 * volume < surface.volume < 1.02 * volume
        assert np.linalg.norm(surface.vertices - position, axis=1).min() > 0.5


def test_a_basin_across_the_cell_border_is_whole():
    owners = np.zeros((20, 20, 20), dtype=np.int64)
    (surface,) = basin_surfaces(
        owners, cell=4.0 * np.eye(3), origin=np.zeros(3), positions=np.array([[3.9, 0.1, 2.0]])
    )
    assert surface is not None
    assert np.abs(surface.vertices - [3.9, 0.1, 2.0]).max() < 2.4  # half a cell and a rim
    assert 0.85 * 64.0 < surface.volume < 64.0


def test_a_basin_of_few_points_has_no_surface():
    owners = np.zeros((16, 16, 16), dtype=np.int64)
    owners[3, 3, 3] = 1
    found = list(
        basin_surfaces(
            owners, cell=CELLS[0], origin=np.zeros(3), positions=np.array([[5.0] * 3, [2.0] * 3])
        )
    )
    assert found[1] is None
    assert found[0] is not None


def test_the_page_of_a_hundred_atoms_is_below_three_megabytes_and_holds_what_was_found():
    result = made_up(100, 36)
    text = basins_page(result)
    assert len(text.encode()) < 3_000_000
    assert "Something was repaired." in text
    assert "<b>rho.cube</b>" not in text
    assert "http" not in text.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "")
    found = re.search(r'id="payload">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    payload = json.loads(found.group(1))
    assert [column["key"] for column in payload["columns"]] == ["charge", "volume"]
    np.testing.assert_allclose(payload["columns"][0]["values"], result.columns["charge"], rtol=1e-5)
    assert sum(surface is not None for surface in payload["surfaces"]) > 90


@pytest.mark.parametrize(
    ("key", "title"),
    [
        ("charge", "charge (e)"),
        ("laplacian", "∫∇²ρ (e/Å²)"),
        ("population_e_coarse_change", "electrons, coarse change (e)"),
        ("moment", "magnetic moment (μB)"),
        ("pot_integral_ev_angstrom3", "pot integral (eV Å³)"),
    ],
)
def test_columns_are_named_with_their_units(key, title):
    assert column_title(key) == title


def test_columns_of_another_number_of_atoms_are_refused():
    with pytest.raises(ConfigError, match="Found 4 values of positions for 5 atoms"):
        BasinResult(
            source="x",
            elements=["H"] * 5,
            positions=np.zeros((4, 3)),
            cell=np.eye(3),
            columns={"charge": np.zeros(4)},
        )


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")
def test_a_picked_atom_shows_its_surface_and_values_on_a_phone_too(tmp_path):
    path = tmp_path / "basins.html"
    path.write_text(basins_page(made_up(8)), encoding="utf-8")
    drawn = "Number(document.getElementById('box').dataset.drawn)"
    with Page(width=1400, height=900) as page:
        page.open(path)
        before = page.evaluate(drawn)
        page.evaluate("document.querySelectorAll('#atoms tbody tr')[2].click()")
        assert page.evaluate(drawn) > before + 100  # the facets
        assert page.evaluate("document.querySelector('#picked h2').textContent") == "Na 2"
        assert page.evaluate("document.querySelectorAll('#picked dd').length") == 2
        picture = page.evaluate("document.getElementById('box').toDataURL()")
        page.evaluate(
            "(s => { s.selectedIndex = 1; s.dispatchEvent(new Event('change')); })"
            "(document.getElementById('field'))"
        )
        assert page.evaluate("document.getElementById('box').toDataURL()") != picture
        page.evaluate("document.querySelectorAll('#atoms tbody tr')[2].click()")
        assert page.evaluate(drawn) == before
        page.resize(390, 844)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.errors == []
        assert page.requests == [path.resolve().as_uri()]
