"""A running engine takes changed settings in: told, without losing the day, or not at all."""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.programs import LOGIN, engine, exchange, feed_options, kitetui, status_when
from tests.terminal import Terminal

pytestmark = pytest.mark.e2e


def test_changed_settings_are_told_taken_in_and_the_day_goes_on(tmp_path: Path) -> None:
    config = tmp_path / "config" / "kitetui"
    config.mkdir(parents=True)
    (config / "alerts.yaml").write_text("min_confidence: 0.0\n")
    with exchange(tmp_path, "--speed", "10", "--rate", "300") as hello:
        options = [*feed_options(hello), "--set", "feed.speed=10", "--set",
                   "thresholds.volume_spike.min_bars=2", "--set",
                   "thresholds.volume_spike.params.min_ratio=0.5", "--set",
                   "thresholds.volume_spike.params.min_robust_z=-9.0"]  # fmt: skip
        with engine(tmp_path, *options, **LOGIN) as process, ExitStack() as on_exit:
            status_when(tmp_path, lambda s: s["alerts"]["unacked"] > 0, 60)
            screen = Terminal(tmp_path, "attach")
            on_exit.callback(screen.close)
            assert screen.read(15, b"KITE")
            assert kitetui(tmp_path, "ack", "--all").returncode == 0
            acked = status_when(tmp_path, lambda s: True)
            (config / "alerts.yaml").write_text("min_confidence: 0.95\n")
            (config / "kitetui.yaml").write_text("screen: {hz: fast}\n")
            process.send_signal(signal.SIGHUP)
            time.sleep(1)
            said = (tmp_path / "said").read_text()
            assert "the settings stay as they are" in said and "screen.hz" in said
            (config / "kitetui.yaml").unlink()
            (config / "thresholds.yaml").write_text("volume_spike: {params: {min_ratoi: 3}}\n")
            process.send_signal(signal.SIGHUP)
            time.sleep(1)
            assert "thresholds.volume_spike.params.min_ratoi" in (tmp_path / "said").read_text()
            (config / "thresholds.yaml").unlink()
            assert status_when(tmp_path, lambda s: True)["uptime_s"] > acked["uptime_s"]

            (config / "kitetui.yaml").write_text("screen: {hz: 2}\n")
            process.send_signal(signal.SIGHUP)
            after = status_when(tmp_path, lambda s: s["uptime_s"] < acked["uptime_s"], 10)
            said = (tmp_path / "said").read_text()
            assert "alerts.min_confidence: 0.0 -> 0.95" in said and "screen.hz: 4.0 -> 2.0" in said
            after = status_when(tmp_path, lambda s: s["state"] == "LIVE", 10)
            assert after["restored"]["records"] > 0 or after["restored"]["from_checkpoint"]
            assert after["ticks"]["received"] >= acked["ticks"]["received"]
            screen.output = b""
            assert screen.read(6, b"\x1b["), "who looks on comes back by itself"
            assert len(status_when(tmp_path, lambda s: bool(s["viewers"]))["viewers"]) == 1
            assert process.poll() is None

            process.send_signal(signal.SIGHUP)
            time.sleep(1)
            assert "have not changed" in (tmp_path / "said").read_text()
    assert process.returncode == 0
    assert "Traceback" not in (tmp_path / "said").read_text()
