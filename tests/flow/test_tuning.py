"""Thresholds that are changed while the engine runs: what follows, what is refused, undo."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from kitetui.app import KiteApp
from kitetui.config import load
from kitetui.engine.commands import Command, Result, Tune, Untune, encode
from kitetui.engine.feed.records import Kind, RecordBatch
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.flow.tuning import CHANGES_KEPT, Tuning
from kitetui.engine.snapshot import Snapshot, View
from kitetui.engine.view.desk import explained, thresholds
from kitetui.settings import Settings
from kitetui.widgets.dialogs import PromptScreen
from kitetui.widgets.thresholds import ThresholdsScreen
from tests.links import PictureLink, answered
from tests.pilots import until
from tests.property.test_partition import EASY
from tests.samples import market_day, split

RATIO, Z = "thresholds.volume_spike.params.min_ratio", "thresholds.volume_spike.params.min_robust_z"
CONFIDENCE = "alerts.min_confidence"


def said(*commands: Command) -> RecordBatch:
    out = RecordBatch()
    for command in commands:
        out.append(Kind.COMMAND, 1_765_773_900_000_000_000, encode(command))
    return out


def spikes(pipeline: Pipeline, *batches: RecordBatch) -> list[int]:
    """Starts of the bars on which volume spikes fired."""
    told = [followed.fired for batch in batches for followed in pipeline.apply(batch).fired]
    return [fired.start for fired in told if fired.detector.name == "volume_spike"
            for _ in range(len(fired.hits))]  # fmt: skip


def test_a_change_is_in_force_with_the_next_bar_and_never_before() -> None:
    day = market_day()
    first, second = split(day, [len(day) // 2])
    plain, tuned = Pipeline(EASY, 200), Pipeline(EASY, 200)
    before, after = spikes(plain, first), spikes(plain, second)
    assert spikes(tuned, first) == before
    tuned.apply(said(Tune(RATIO, "0.1", "ops"), Tune(Z, "-9", "ops")))
    more = spikes(tuned, second)
    assert len(more) > 3 * len(after) + 10
    assert tuned.detectors._triggers.keys() == plain.detectors._triggers.keys()


def test_an_alert_is_explained_by_the_thresholds_of_its_firing() -> None:
    pipeline = Pipeline(EASY, 200)
    eager = said(Tune(RATIO, "0.1", "ops"), Tune(Z, "-9", "ops"))
    told = [alert for batch in (eager, market_day()) for alert in pipeline.apply(batch).alerts]
    pipeline.apply(said(Tune(RATIO, "7.5", "ops")))
    shown = next(lines for alert in told if alert.family == "volume_spike"
                 if (lines := explained(pipeline, alert.alert_id)))  # fmt: skip
    limits = " ".join(shown).partition("Limits: ")[2]
    assert limits.startswith("min_ratio 0.1, min_robust_z -9")


def test_off_is_silent_and_on_fires_again() -> None:
    day = market_day()
    pipeline = Pipeline(EASY, 200)
    eager = said(Tune(RATIO, "0.1", "ops"), Tune(Z, "-9", "ops"))
    off = said(Tune("thresholds.volume_spike.enabled", "off", "ops"))
    on = said(Tune("thresholds.volume_spike.enabled", "on", "ops"))
    a, b, c = split(day, [len(day) // 3, 2 * len(day) // 3])
    pipeline.apply(eager)
    assert spikes(pipeline, a)
    assert not spikes(pipeline, off, b)
    assert spikes(pipeline, on, c)


def test_the_gate_and_the_desk_go_by_it() -> None:
    plain, tuned = Pipeline(EASY, 200), Pipeline(EASY, 200)
    tuned.apply(said(Tune(CONFIDENCE, "0.9", "ops")))
    assert len(plain.apply(market_day()).alerts) > len(tuned.apply(market_day()).alerts)
    assert tuned.gate.counts.by_reason["low_confidence"] > 0
    assert not plain.gate.counts.by_reason.get("low_confidence")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("thresholds.volume_spike.params.min_rato", "3", f"can be changed; near to it: {RATIO}"),
        ("feed.url", "3", "feed.url is no threshold that can be changed"),
        ("thresholds.volume_spike.min_bars", "3", "no threshold that can be changed"),
        (RATIO, "much", "'much' is no value; one is written like 2.5"),
        (RATIO, "[1, 2]", "Expected `float`, got `array`"),
        (RATIO, "NaN", "is no value"),
        (RATIO, "9" * 300, "is no value"),
        ("thresholds.volume_spike.cooldown_bars", "0", "Expected `int` >= 1"),
        ("thresholds.volume_spike.ramps.ratio", "[2, 2]", "two marks that differ; got [2.0, 2.0]"),
        ("thresholds.volume_spike.ramps.ratio", "[2]", "Expected `array` of length >= 2"),
        (CONFIDENCE, "1.5", "Expected `float` <= 1"),
        ("thresholds.breakout.params.range_bars", "0", "whole number of bars from 1 to 48"),
        ("thresholds.breakout.params.range_bars", "2.5", "whole number of bars from 1 to 48"),
        ("thresholds.reversal.params.turn_bars", "-3", "whole number of bars from 1 to 48"),
        ("thresholds.ict_premium_discount.params.slope_bars", "100", "from 1 to 48"),
        ("thresholds.breakout.cooldown_bars", "1000000000000000000000", "Expected `int` <= 10000"),
        (RATIO, "1e300", "expected at most 1,000,000"),
        (CONFIDENCE, "off", "Expected `float`, got `bool`"),
    ],
)  # fmt: skip
def test_what_does_not_do_is_refused_and_changes_nothing(key: str, value: str, words: str) -> None:
    tuning = Tuning(EASY)
    result = tuning.obey(Tune(key, value, "ops"), 1)
    assert not result.done and words in result.text
    assert not tuning.values and not tuning.changes and tuning.patterns is EASY.patterns


def test_what_was_off_at_the_start_has_no_detector_to_switch_on() -> None:
    tuning = Tuning(load(overrides=["thresholds.breakout.enabled=false"]))
    result = tuning.obey(Tune("thresholds.breakout.enabled", "on", "ops"), 1)
    assert not result.done and "switch it on in thresholds.yaml and reload" in result.text


def test_undo_takes_back_ones_own_last_change_and_nobody_elses() -> None:
    tuning = Tuning(EASY)
    ratio = EASY.patterns["volume_spike"].params["min_ratio"]
    assert tuning.obey(Tune(RATIO, "3", "ann"), 1).text == f"{RATIO}: {ratio} became 3.0, by ann"
    tuning.obey(Tune(Z, "4", "bob"), 2)
    tuning.obey(Tune(RATIO, "5", "ann"), 3)
    assert tuning.obey(Untune("ann"), 4).text == f"{RATIO} is 3.0 again, by ann"
    assert tuning.patterns["volume_spike"].params["min_ratio"] == 3
    assert tuning.patterns["volume_spike"].params["min_robust_z"] == 4
    assert tuning.obey(Untune("ann"), 5).done and RATIO not in tuning.values
    assert not tuning.obey(Untune("ann"), 6).done
    tuning.obey(Tune(Z, "5", "ann"), 7)
    refused = tuning.obey(Untune("bob"), 8)
    assert not refused.done and refused.text == f"{Z} was changed since, to 5.0; it stays"
    assert tuning.obey(Tune(Z, "", "ann"), 9).done and not tuning.values
    assert tuning.obey(Tune(Z, "", "ann"), 9).text.endswith("already")


def test_what_is_given_for_a_run_stays_whatever_was_recorded() -> None:
    pipeline = Pipeline(EASY, 200)
    pipeline.tuning.pinned = frozenset([RATIO])
    results = pipeline.apply(said(Tune(RATIO, "9", "ops"), Tune(Z, "5", "ops"))).results
    assert [result.done for result in results] == [False, True]
    assert list(pipeline.tuning.values) == [Z]
    assert pipeline.detectors._patterns["volume_spike"].params["min_ratio"] == 2.2


def test_what_is_the_same_number_is_the_same_value() -> None:
    tuning = Tuning(EASY)
    key = "thresholds.breakout.params.range_bars"
    assert tuning.obey(Tune(key, "20", "ann"), 1).text == f"{key} is 20.0 already"
    assert tuning.obey(Tune(key, "21", "ann"), 2).done and tuning.values
    assert tuning.obey(Tune(key, "2e1", "ann"), 3).done and not tuning.values


def test_undo_leaves_it_to_whom_it_was_before_and_keeps_the_order() -> None:
    tuning = Tuning(EASY)
    key = "thresholds.breakout.params.range_bars"
    tuning.obey(Tune(key, "21", "bob"), 1)
    tuning.obey(Tune(Z, "4", "ann"), 2)
    tuning.obey(Tune(key, "22", "ann"), 3)
    assert list(tuning.values) == [Z, key], "the last one changed is the last"
    assert tuning.obey(Untune("ann"), 4).done
    assert tuning.values[key] == ("21.0", "bob")


def test_a_detector_that_cannot_look_is_off_until_its_parameters_are_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    day = market_day()
    a, b = split(day, [len(day) // 2])
    pipeline = Pipeline(EASY, 200)
    params = {**EASY.patterns["volume_spike"].params, "min_ratio": None}
    broken = msgspec.structs.replace(EASY.patterns["volume_spike"], params=params)
    pipeline.detectors.tune({**EASY.patterns, "volume_spike": broken})
    monkeypatch.setattr(pipeline, "_tune", lambda: None)
    fired = {f.fired.detector.name for f in pipeline.apply(a).fired}
    assert "volume_spike" not in fired and "breakout" in fired, "the others go on"
    (told,) = [e.text for e in pipeline.events if e.source == "pattern"]
    assert told.startswith("volume_spike is off: it cannot look with its parameters: TypeError")
    pipeline.detectors.tune(EASY.patterns)
    assert "volume_spike" in pipeline.detectors.failed, "as after a checkpoint: nothing was changed"
    pipeline.apply(said(Tune(Z, "-1", "ops")))
    assert not pipeline.detectors.failed
    pipeline.apply(b)
    assert not pipeline.detectors.failed


def test_changes_are_kept_within_a_cap() -> None:
    tuning = Tuning(EASY)
    for turn in range(CHANGES_KEPT + 50):
        tuning.obey(Tune(RATIO, str(turn + 10), "ann"), turn)
    assert len(tuning.changes) == CHANGES_KEPT and len(tuning.values) == 1


def test_every_threshold_can_be_set_to_what_it_is_and_to_what_it_was() -> None:
    """Its own value is taken for each key: no key is told that cannot be changed."""
    tuning = Tuning(EASY)
    changed = 0
    for key, value in tuning.keys().items():
        told = json.loads(value)
        if isinstance(told, bool) or key == CONFIDENCE:
            continue
        other = [v + 0.5 for v in told] if isinstance(told, list) else told * 2 or 1
        if key.endswith("_bars"):
            other = told + 1 if told < 2 else told - 1
        result = tuning.obey(Tune(key, json.dumps(other), "ann"), 1)
        assert result.done, result.text
        changed += 1
    assert changed > 200 and len(tuning.values) == changed
    for key in list(tuning.values):
        assert tuning.obey(Tune(key, "", "ann"), 2).done
    assert not tuning.values
    assert tuning.patterns == EASY.patterns and tuning.alerts == EASY.alerts


class TunedLink(PictureLink):
    """A pipeline's thresholds, and no market."""

    def __init__(self) -> None:
        super().__init__()
        self.pipeline = Pipeline(EASY, 200)
        self.said: list[str] = []

    def snapshot(self, wanted: View) -> Any:
        told = thresholds(self.pipeline) if wanted.thresholds else ()
        picture: Snapshot = msgspec.structs.replace(self.picture, thresholds=told)
        return answered(picture)

    def command(self, command: Command) -> Any:
        (result,) = self.pipeline.apply(said(command)).results
        self.said.append(result.text)
        return answered(Result(result.done, result.text))


async def test_a_threshold_is_found_changed_and_taken_back_by_keys(settings: Settings) -> None:
    link = TunedLink()
    app = KiteApp(settings.screen, link)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("E")
        await until(pilot, lambda: isinstance(app.screen, ThresholdsScreen))
        await pilot.press(*"spike min_ratio")
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, ThresholdsScreen))
        await pilot.press(*"3.5", "enter")
        await until(pilot, lambda: bool(link.said))
        assert link.said[-1].startswith(f"{RATIO}: 2.2 became 3.5, by ")
        await until(pilot, lambda: isinstance(app.screen, ThresholdsScreen))
        shown = "\n".join(s.text for s in app.screen._compositor.render_strips())
        assert "min_ratio" in shown and "3.5 2.2, by" in shown
        await pilot.press("ctrl+u", "up", "enter")
        await until(pilot, lambda: len(link.said) == 2)
        assert link.said[-1].startswith(f"{RATIO} is 2.2 again")
        await until(pilot, lambda: isinstance(app.screen, ThresholdsScreen))
        await pilot.press(*"nosuchthing", "enter", "escape")
        await until(pilot, lambda: not isinstance(app.screen, ThresholdsScreen))
    assert len(link.said) == 2 and not link.pipeline.tuning.values


async def test_ctrl_c_in_the_prompt_leaves_all_of_it_and_the_screen_stays(
    settings: Settings,
) -> None:
    app = KiteApp(settings.screen, TunedLink())
    async with app.run_test(size=(120, 35)) as pilot:
        await pilot.pause(0.3)
        await pilot.press("E")
        await until(pilot, lambda: isinstance(app.screen, ThresholdsScreen))
        await pilot.press(*"spike min_ratio")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, PromptScreen))
        await pilot.press("ctrl+c")
        await until(pilot, lambda: app.screen is app._base)
        await pilot.pause(0.2)
        assert app.is_running and app.screen is app._base
