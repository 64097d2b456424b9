"""What a configuration file may hold: anything else is one clear message with its line."""

import pytest

from zeroflux.config_file import load_config
from zeroflux.config_template import template
from zeroflux.errors import ConfigError

HEAD = "sample: {from_file: a.xyz}\n"
BAD = {
    "beyond any number": ("label: {density_cutoff_hartree: 1e999}", 2, "finite"),
    "infinite": ("label: {density_cutoff_hartree: .inf}", 2, "finite"),
    "not a number": ("train: {seeds: [1], cutoff_angstrom: .nan}", 2, "finite"),
    "true for a count": ("correlate: {n_folds: yes}", 2, "true or false"),
    "true in a list": ("train: {seeds: [0, on]}", 2, "true or false"),
    "list for a word": ("title: [1, 2]", 2, "string"),
    "number for a section": ("label: 3", 2, "label"),
    "empty section": ("label:", 2, "label"),
    "number for a key": ("1: 2", 2, "keys"),
    "long list": (f"label: {{density_cutoff_hartree: {list(range(3000))}}}", 2, "valid number"),
    "huge whole number": (f"correlate: {{seed: {'9' * 5000}}}", 1, "cannot be read"),
    "day that is not": ("title: 2026-99-99", 1, "cannot be read"),
    "nested": ("a: " + "[" * 5000, 1, "nested too deeply"),
    "nested and closed": ("a: " + "[" * 5000 + "]" * 5000, 1, "nested too deeply"),
    "alias of itself": ("train: {seeds: &s [*s]}", 2, "valid integer"),
    "section twice": ("title: a\ntitle: b", 3, "twice"),
    "control character": ("title: a\x07b", 2, "special characters"),
    "object": ("title: !!python/object:os.system x", 2, "constructor"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_value_that_cannot_be_used_is_one_message_with_its_line(tmp_path, case):
    text, line, expected = BAD[case]
    path = tmp_path / "run.yaml"
    path.write_text(HEAD + text)
    with pytest.raises(ConfigError) as found:
        load_config(path)
    first = str(found.value).split("\n")[0]
    assert first.startswith(f"{path}:{line}: ")
    assert expected in first
    assert len(first) < 400


@pytest.mark.parametrize(
    "text",
    ["", "label: {forces: yes}", "label: {workers: {queue_options: {exclusive: true}}}"],
)
def test_control_what_is_meant_is_read(tmp_path, text):
    path = tmp_path / "run.yaml"
    path.write_text(HEAD + text)
    load_config(path)


def test_the_template_is_a_configuration(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(template())
    assert load_config(path).label.density_cutoff_hartree is None
