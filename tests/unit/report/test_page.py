"""The page as text and the files beside it."""

import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest

from zeroflux.report import ReportData, write_report
from zeroflux.report.page import cell_text, script_json


class _Structure(HTMLParser):
    """Collects what can point outside, identifiers, and the nesting of elements."""

    VOID = frozenset({"meta", "link", "input", "br", "img", "hr"})

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.identifiers: list[str] = []
        self.open: list[str] = []
        self.mismatched: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.links += [v for key, v in attrs if key in ("src", "href", "action") and v]
        self.identifiers += [v for key, v in attrs if key == "id" and v]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.mismatched.append(tag)


def test_the_page_is_well_formed_and_points_nowhere_outside(written):
    structure = _Structure()
    structure.feed(written.read_text(encoding="utf-8"))
    assert structure.mismatched == []
    assert structure.open == []
    assert all(link.startswith(("#", "data:")) for link in structure.links), structure.links
    assert len(structure.identifiers) == len(set(structure.identifiers))
    targets = {link[1:] for link in structure.links if link.startswith("#")}
    assert targets <= set(structure.identifiers)


def test_text_from_the_run_is_never_markup(written):
    """The synthetic run carries a closing script tag and bold text in its provenance."""
    text = written.read_text(encoding="utf-8")
    assert "&lt;/script&gt;" in text
    assert "<b>text, not markup</b>" not in text
    assert json.loads(script_json({"a": "</script><!--"})) == {"a": "</script><!--"}
    assert "<" not in script_json({"a": "</script>"})


def test_the_payload_reads_back_and_holds_every_chart(written):
    text = written.read_text(encoding="utf-8")
    found = re.search(r'id="payload">(.*?)</script>', text, flags=re.DOTALL)
    assert found is not None
    payload = json.loads(found.group(1))
    charts = set(re.findall(r'data-chart="([a-z-]+)"', text))
    for names in re.findall(r'data-charts="([a-z -]*)"', text):
        charts |= set(names.split())
    assert charts == set(payload["charts"])
    tables = {n for names in re.findall(r'data-tables="([a-z -]*)"', text) for n in names.split()}
    assert tables == set(payload["tables"])
    assert len(payload["boxes"]) > 0


def test_the_page_is_light_and_has_a_policy(written):
    text = written.read_text(encoding="utf-8")
    assert len(text) < 400_000
    assert "Content-Security-Policy" in text


def test_the_first_screen_says_what_was_asked_with_what(written):
    head = written.read_text(encoding="utf-8").partition('id="findings"')[0]
    for word in ("QTAIM", "quantum theory of atoms in molecules", "arXiv:2403.00377", "basin"):
        assert word in head
    assert head.count("neural potentials") == 1


def test_figures_and_tables_are_written_as_files(written):
    figures = written.parent / "figures"
    names = {path.stem for path in figures.glob("*.csv")}
    assert len(names) == 19
    for name in names:
        root = ET.parse(figures / f"{name}.svg").getroot()
        assert root.tag.endswith("svg")
        assert (figures / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert (written.parent / "tables" / "shortcuts.csv").stat().st_size > 100


def test_a_run_without_anything_writes_a_page_that_says_so(tmp_path):
    path = write_report(ReportData(title="empty & <odd>", labels=[]), tmp_path / "a" / "r.html")
    text = path.read_text(encoding="utf-8")
    assert "0 labelled configurations" in text
    assert "empty &amp; &lt;odd&gt;" in text
    assert 'id="box"' not in text


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (0.12345, "0.123"),
        (0.00012, "0.00012"),
        (136_000, "136,000"),
        (float("nan"), "–"),
        ("x", "x"),
    ],
)
def test_cells_read_well(cell, text):
    assert cell_text(cell) == text
