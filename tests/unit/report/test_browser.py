"""The page in a real Chromium: no errors, no requests, drawn, and usable."""

import pytest
from devtools import CHROMIUM, Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH"),
]

COLOURS_IN_BOX = """(() => {
  const canvas = document.querySelector('#box canvas');
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


def test_every_chart_is_drawn_with_points(page):
    counts = page.evaluate(
        "Array.from(document.querySelectorAll('.plot')).map(e => "
        "e.querySelectorAll('.scatterlayer .points path, .scatterlayer path.js-line').length)"
    )
    assert len(counts) == 17
    assert min(counts) > 0


def test_the_viewer_draws_and_the_pickers_change_it(page):
    page.wait_for(f"{COLOURS_IN_BOX} > 50")
    status = page.evaluate("document.getElementById('box-status').textContent")
    before = page.evaluate("document.querySelector('#box canvas').toDataURL()")
    page.evaluate("document.getElementById('box-next').click()")
    after = page.evaluate("document.querySelector('#box canvas').toDataURL()")
    assert page.evaluate("document.getElementById('box-frame').value") == "1"
    assert page.evaluate("document.getElementById('box-status').textContent") != status
    assert after != before
    page.evaluate(
        "(s => { s.selectedIndex = 2; s.dispatchEvent(new Event('change')); })"
        "(document.getElementById('box-field'))"
    )
    assert "local − basin" in page.evaluate("document.getElementById('box-status').textContent")
    assert page.evaluate("document.querySelector('#box canvas').toDataURL()") != after
    assert page.errors == []


def test_the_table_of_atoms_follows_the_picker(page):
    rows = page.evaluate("document.querySelectorAll('#box-table tbody tr').length")
    assert rows == 27


def test_a_heading_sorts_its_table_both_ways(page):
    column = (
        "Array.from(document.querySelectorAll('#local .sortable')[0].tBodies[0].rows)"
        ".map(r => Number(r.cells[6].dataset.value))"
    )
    click = "document.querySelector('#local .sortable').tHead.rows[0].cells[6].children[0].click()"
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
    svg = page.evaluate(
        "Plotly.toImage(document.getElementById('error-against-size'), {format: 'svg'})"
    )
    assert svg.startswith("data:image/svg+xml")
    page.evaluate(
        "window.saved = []; HTMLAnchorElement.prototype.click = function () "
        "{ window.saved.push(this.download); }"
    )
    page.evaluate("document.querySelector('[data-csv=\"shortcuts\"]').click()")
    assert page.evaluate("window.saved") == ["shortcuts.csv"]


def test_it_fits_a_phone_and_follows_a_dark_theme(page):
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.resize(390, 844)
    page.wait_for("document.querySelector('#local-parity .main-svg').clientWidth <= 390")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.call(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}]
    )
    page.wait_for(f"getComputedStyle(document.body).backgroundColor !== '{light}'")
    page.wait_for(
        "document.querySelector('#local-parity').layout.paper_bgcolor === "
        "getComputedStyle(document.documentElement).getPropertyValue('--panel').trim()"
    )
    assert page.errors == []
