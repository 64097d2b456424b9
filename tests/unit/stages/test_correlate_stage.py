"""Which systems the shortcut is compared in."""

from dataclasses import replace

import pytest

from zeroflux import data
from zeroflux.config import CorrelateConfig
from zeroflux.stages.correlate import MIN_LABELS, comparisons

SETTINGS = CorrelateConfig(predictors=["xc"], n_bootstrap=10)


@pytest.fixture(scope="module")
def labels():
    return data.load("argon_test")[: MIN_LABELS + 2]


def in_system(label, name):
    return replace(label, info={**label.info, "system": name})


def test_a_system_of_a_few_labels_is_left_out_beside_larger_ones(labels):
    few = [in_system(label, "argon fcc") for label in labels[:2]]
    found = comparisons(labels[2:] + few, SETTINGS)
    assert [c.scored_on for c in found] == [("argon",)]


def test_a_run_of_few_labels_is_compared_all_the_same(labels):
    few = [in_system(label, "argon fcc") for label in labels[:5]]
    assert [c.scored_on for c in comparisons(few, SETTINGS)] == [("argon fcc",)]
