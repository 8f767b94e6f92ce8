"""Text from outside never reaches the terminal as anything but text."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from kitetui.widgets.safe_text import COMBINING_MAX, LENGTH_MAX, clean, fit, fit_ends


@pytest.mark.parametrize(
    "text",
    ["\x1b]52;c;ZXZpbA==\x07", "\x1b[31mred", "\x9b2J", "a\u202eb", "a\u200bb", "\ud800",
     "a\u2028b", "tab\tnew\nline", "\ue000"],
)  # fmt: skip
def test_what_a_terminal_would_obey_is_replaced_visibly(text: str) -> None:
    cleaned = clean(text)
    assert "\N{REPLACEMENT CHARACTER}" in cleaned
    assert not any(unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} for c in cleaned)


@given(st.text(max_size=700))
def test_no_text_keeps_a_control_character_or_grows(text: str) -> None:
    cleaned = clean(text)
    assert len(cleaned) <= LENGTH_MAX
    assert not any(unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Cn"} for c in cleaned)


def test_combining_marks_are_capped() -> None:
    assert clean("e" + "\u0301" * 50).count("\u0301") <= COMBINING_MAX


@given(st.text(max_size=60), st.integers(0, 40), st.booleans())
def test_fitted_text_has_exactly_the_width_asked_for(text: str, width: int, right: bool) -> None:
    assert cell_len(fit(text, width, right)) == width


def test_markup_stays_what_it_says() -> None:
    assert clean("[b]RELIANCE [NSE][/b]") == "[b]RELIANCE [NSE][/b]"
    assert fit("NIFTY2611225900CE", 10) == "NIFTY2611…"


def test_an_option_s_end_stays_where_it_does_not_fit() -> None:
    for width in range(8, 30):
        told = fit_ends("NIFTY2612025300CE", width)
        assert len(told) == width and told.rstrip().endswith("00CE")
    assert fit_ends("NIFTY2612025300CE", 12) == "NIF…025300CE"
    assert fit_ends("\x1b[31mRED" * 3, 12).isprintable()
