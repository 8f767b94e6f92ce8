"""Lines below the ladder: undefined is a dash, and Wilder's numbers wait until they are warm."""

from __future__ import annotations

import msgspec

from kitetui.engine import snapshot as view
from kitetui.widgets.lines import whole
from kitetui.widgets.reading import book_lines, reading_lines
from tests.widgets import views

FLOW = {"ofi": -1200, "bid_stacked": 3420, "ask_stacked": 640, "bid_pulled": 1100,
        "ask_pulled": 2015, "bid_queue": 0, "ask_queue": 0}  # fmt: skip
BOOK = view.BookReading(0.1, 2941.38, 0.2, 9000, 8000, 2941.2, 4222, FLOW)
WARM = view.Numbers("1m", 300, True, 2940.0, 55.24, 1.5, 22.4, 2936.8, 6.1, 1.25)
COLD = view.Numbers("5m", 40, False, None, 51.0, None, None, None, None, None)
PROFILE = view.ProfileReading(2940.1, 2948.0, 2931.0, None, 2920.0, 2930.0, 2910.0)
CHAIN = view.ChainReading("NIFTY", "2026-11-24", 4.5, 24575.4, "future", 24600.0, 216.0, 221.3,
                          0.132, 0.64, 24550.0, 25000.0, 24500.0, 43.0, 51.0, 252,
                          "India VIX")  # fmt: skip
OPTION = view.OptionReading(0.132, "", 0.52, 0.00041, -8.1, 9.2, 12_000)
UNDEFINED = view.OptionReading(None, "below\x1b[2J intrinsic", None, None, None, None, None)


def depth(reading: view.Reading | None) -> view.Depth:
    found = views.snapshot().depth
    assert found is not None
    return msgspec.structs.replace(found, reading=reading)


def texts(reading: view.Reading | None) -> list[str]:
    shown = depth(reading)
    return ["".join(text for text, _ in line) for line in (*book_lines(shown),
                                                          *reading_lines(shown))]  # fmt: skip


def test_everything_that_is_known_is_said() -> None:
    lines = texts(view.Reading(BOOK, (WARM, COLD), PROFILE, CHAIN, OPTION))
    assert lines == [
        " pull/stack 5s  bid −1,100 / +3,420   ask −2,015 / +640",
        " micro 2,941.38  ofi 5s -1,200  largest 4,222 @ 2,941.20",
        " option  iv 13.2%  Δ 0.52  Γ 0.00041  θ -8.10  ν 9.20  oi +12.0K",
        " 1m  rsi 55.2 adx 22 vol ×1.2 atr 1.50 vwap 2,936.80 ±6.10 ema20 2,940.00",
        " 5m  rsi, adx in 210 bars vol ×– atr – vwap – ema20 –",
        " profile poc 2,940.10 value 2,931.00–2,948.00 last day 2,910.00–2,930.00 vpin –",
        " NIFTY 2026-11-24  4.5 d  forward 24,575.40 by future  iv 13.2%  ivr 43 ivp 51 "
        "(India VIX, 252 d)",
        " straddle 24,600: 216.00 vwap 221.30 pcr 0.64 max pain 24,550 walls 24,500–25,000",
    ]


def test_an_undefined_volatility_says_why_and_cannot_reach_the_terminal() -> None:
    lines = texts(view.Reading(None, (), None, None, UNDEFINED))
    assert len(lines) == 1 and lines[0].startswith(" option  iv undefined: below")
    assert "\x1b" not in lines[0]


def test_a_price_that_does_not_fit_is_left_out_whole() -> None:
    line = ((" 1m", "head"), (" vwap 2,936.80", ""), (" ema20 2,940.00", "dim"))
    for width, parts in ((32, 3), (31, 2), (17, 2), (16, 1), (0, 0)):
        assert whole(line, width) == line[:parts]


def test_our_average_is_held_against_the_exchanges() -> None:
    shown = [
        texts(view.Reading(None, (), msgspec.structs.replace(PROFILE, average_gap=gap), None, None))
        for gap in (None, 0.0009, -0.0021)
    ]
    assert [len(lines) for lines in shown] == [1, 1, 2]
    assert shown[2][1] == " ! our vwap lies -0.21% from the exchange's average"


def test_nothing_computed_is_no_line() -> None:
    assert texts(None) == []
    assert texts(view.Reading(None, (), None, None, None)) == []
