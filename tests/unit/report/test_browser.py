"""The page in a real Chromium: no errors, no requests, drawn, and usable."""

import xml.etree.ElementTree as ET

import pytest
from devtools import CHROMIUM, Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH"),
]

COLOURS_IN_BOX = """(() => {
  const canvas = document.querySelector('#box');
  const copy = document.createElement('canvas');
  copy.width = canvas.width; copy.height = canvas.height;
  const context = copy.getContext('2d');
  context.drawImage(canvas, 0, 0);
  const data = context.getImageData(0, 0, copy.width, copy.height).data, seen = new Set();
  for (let k = 0; k < data.length; k += 4 * 37) { seen.add(data.slice(k, k + 3).join(',')); }
  return seen.size;
})()"""
"""Number of distinct colours in the viewer: one if nothing was drawn."""


@pytest.fixture(scope="module")
def page(written):
    """The report opened in a window of a laptop's size."""
    with Page(width=1200, height=900) as browser:
        browser.open(written)
        yield browser


def test_it_loads_without_errors_or_requests(page, written):
    assert page.errors == []
    assert page.requests == [written.resolve().as_uri()]


def test_control_a_request_and_an_error_would_be_noticed(written, tmp_path):
    spoilt = tmp_path / "spoilt.html"
    text = written.read_text(encoding="utf-8")
    spoilt.write_text(
        text.replace(
            "</body>",
            '<img src="https://example.invalid/x.png" alt=""><script>nonsense();</script></body>',
        ),
        encoding="utf-8",
    )
    with Page() as browser:
        browser.open(spoilt)
        assert any("nonsense" in error for error in browser.errors)
        # The page's own policy forbids the request, and the browser says so.
        assert any("Content Security Policy" in error for error in browser.errors)


OPEN_ALL = "document.querySelectorAll('details').forEach(d => { d.open = true; })"


def test_the_first_screen_holds_sentence_verdict_figure_and_box(page):
    bottoms = page.evaluate(
        "['h1', '.card', '.pair .plot svg', '#box'].map("
        "s => document.querySelector(s).getBoundingClientRect().bottom + scrollY)"
    )
    assert max(bottoms) < 900
    assert page.evaluate("Number(document.documentElement.dataset.firstFigure)") < 3000


def test_details_are_empty_until_they_are_opened_and_then_drawn(page):
    counts = (
        "[document.querySelectorAll('.plot svg').length, document.querySelectorAll('*').length]"
    )
    n_plots, n_nodes = page.evaluate(counts)
    assert page.evaluate("document.querySelectorAll('table').length") == 0
    assert n_nodes < 1500
    page.evaluate(OPEN_ALL)
    page.wait_for("document.querySelectorAll('table').length > 5")
    assert page.evaluate(counts)[0] > n_plots


def test_every_chart_is_drawn_with_points_inside_its_frame(page):
    page.evaluate(OPEN_ALL)
    page.wait_for("document.querySelectorAll('table').length > 5")
    drawn = page.evaluate(
        "Array.from(document.querySelectorAll('.plot')).map(e => ["
        "e.dataset.chart, e.querySelectorAll('path').length, e.innerHTML.includes('NaN'), "
        "e.querySelector('svg').getBBox().width - e.clientWidth])"
    )
    assert len({name for name, *_ in drawn}) == 19
    for name, n_paths, has_nan, overhang in drawn:
        assert n_paths >= 3, name
        assert not has_nan, name
        assert overhang < 8, name


def test_the_viewer_draws_turns_and_the_pickers_change_it(page):
    page.wait_for(f"{COLOURS_IN_BOX} > 50")
    picture = "document.getElementById('box').toDataURL()"
    chosen = "document.getElementById('box-frame').value"
    before, first = page.evaluate(picture), page.evaluate(chosen)
    page.evaluate("document.getElementById('box-next').click()")
    after = page.evaluate(picture)
    assert page.evaluate(chosen) != first
    assert after != before
    page.evaluate(
        "(s => { s.selectedIndex = 2; s.dispatchEvent(new Event('change')); })"
        "(document.getElementById('box-field'))"
    )
    coloured = page.evaluate(picture)
    assert coloured != after
    page.evaluate("document.getElementById('box').dispatchEvent("
                  "new KeyboardEvent('keydown', {key: 'ArrowLeft'}))")  # fmt: skip
    page.wait_for(f"{picture} !== {coloured!r}")
    assert page.errors == []


def test_pointing_at_an_atom_reads_its_energy(page):
    page.evaluate(
        "(c => { const b = c.getBoundingClientRect(); for (let k = 0; k < 60; k++) {"
        "const x = b.x + b.width * (0.35 + 0.005 * k), y = b.y + b.height / 2;"
        "c.dispatchEvent(new PointerEvent('pointermove', {clientX: x, clientY: y}));"
        "if (/meV/.test(document.getElementById('box-status').textContent)) { return; } } })"
        "(document.getElementById('box'))"
    )
    assert page.evaluate("document.getElementById('box-status').textContent").endswith("meV")


def test_a_heading_sorts_its_table_both_ways(page):
    page.evaluate(OPEN_ALL)
    page.wait_for("document.querySelectorAll('#atoms .sortable').length > 0")
    table = "document.querySelector('#atoms .sortable')"
    column = f"Array.from({table}.tBodies[0].rows).map(r => Number(r.cells[6].textContent))"
    click = f"{table}.tHead.rows[0].cells[6].children[0].click()"
    page.evaluate(click)
    ascending = page.evaluate(column)
    assert ascending == sorted(ascending)
    page.evaluate(click)
    assert page.evaluate(column) == sorted(ascending, reverse=True)
    assert len(set(ascending)) > 3


def test_controls_are_reached_by_keyboard_and_named(page):
    unnamed = page.evaluate(
        "Array.from(document.querySelectorAll('main button, main select, main [tabindex]'))"
        ".filter(e => !(e.textContent.trim() || e.getAttribute('aria-label') || e.labels?.length))"
        ".length"
    )
    assert unnamed == 0
    page.evaluate("document.getElementById('box-next').focus()")
    before = page.evaluate("document.getElementById('box-frame').value")
    for kind in ("keyDown", "keyUp"):
        page.call(
            "Input.dispatchKeyEvent",
            type=kind,
            key="Enter",
            code="Enter",
            windowsVirtualKeyCode=13,
            **({"text": "\r"} if kind == "keyDown" else {}),
        )
    assert page.evaluate("document.getElementById('box-frame').value") != before


def test_downloads_make_svg_and_csv_without_leaving_the_page(page):
    page.evaluate(OPEN_ALL)
    page.wait_for("document.querySelectorAll('.downloads button').length > 5")
    svg = page.evaluate("Zf.svgText(document.querySelector('.pair .plot'))")
    assert ET.fromstring(svg).tag.endswith("svg")
    assert "var(" not in svg
    page.evaluate(
        "window.saved = []; HTMLAnchorElement.prototype.click = function () "
        "{ window.saved.push(this.download); }"
    )
    page.evaluate("document.querySelectorAll('#shortcut .table .downloads button')[0].click()")
    assert page.evaluate("window.saved") == ["shortcuts.csv"]


def test_it_fits_a_phone_and_follows_a_dark_theme(page):
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.resize(390, 844)
    page.wait_for("document.querySelector('.pair .plot svg').clientWidth <= 390")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    ink = "getComputedStyle(document.querySelector('.plot text')).fill"
    before = page.evaluate(ink)
    page.call(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}]
    )
    page.wait_for(f"getComputedStyle(document.body).backgroundColor !== '{light}'")
    assert page.evaluate(ink) != before
    assert page.errors == []
