"""An alert in words: each value beside its threshold, three numbers apart, unknowns named."""

from __future__ import annotations

import pytest

from kitetui.config import load
from kitetui.engine.alerts.alert import Thresholds
from kitetui.engine.alerts.explain import WIDTH, explain, sentence
from kitetui.engine.patterns.registry import registry
from tests.widgets.views import alert

PATTERNS = load().patterns


COLD = {"target": 1415.0, "stop": 1410.2, "p_hit": 0.41, "null_rate": 0.4, "expected_r": 0.02}


def told(**changes: object) -> str:
    return "\n".join(explain(alert(**changes), registry()["volume_spike"],
                             Thresholds.of(PATTERNS["volume_spike"])))  # fmt: skip


def test_each_value_stands_beside_its_threshold_and_its_part_of_the_score() -> None:
    text = told(**COLD)
    assert "6.1 times the usual volume, 5.2 robust deviations" in " ".join(text.split())
    ratio = next(line for line in text.splitlines() if line.strip().startswith("ratio"))
    assert ratio.split() == ["ratio", "6.1", "2.2", "6", "1.00"]
    assert "Limits: min_ratio 2.2" in text
    assert "score       0.95" in text and "confidence  97%" in text
    assert "not calibrated" in text


def test_what_was_undefined_is_said_to_be() -> None:
    text = told(evidence={"ratio": 6.1})
    assert "an unknown robust deviations" in text
    assert "undefined" in next(line for line in text.splitlines() if "robust_z" in line)


def test_a_calibrated_chance_comes_with_its_interval_outcomes_and_null() -> None:
    text = told(**COLD | {"p_hit": 0.46}, calibrated=True, p_low=0.39, p_high=0.53, p_outcomes=212)
    flat = " ".join(text.split())
    assert "46% (39% to 53%, 95 %) from 212 outcomes; by chance alone 40%" in flat


def test_an_alert_of_a_pattern_that_is_gone_is_still_told() -> None:
    text = "\n".join(explain(alert(), None, None))
    assert "not known any more" in text and "robust_z" in text


def test_one_whose_thresholds_were_not_kept_is_told_without_them() -> None:
    text = "\n".join(explain(alert(), registry()["volume_spike"], None))
    assert "times the usual volume" in text and "robust_z" in text
    assert "were others then" in text and "Limits" not in text


@pytest.mark.parametrize("name", sorted(registry()))
def test_every_pattern_has_words_for_all_that_they_name(name: str) -> None:
    detector = registry()[name]
    full = alert(evidence=dict.fromkeys(detector.evidence, 1.0))
    assert "unknown" not in sentence(full, detector) and "{" not in sentence(full, detector)
    lines = explain(full, detector, Thresholds.of(PATTERNS[name]))
    assert max(map(len, lines)) <= WIDTH
