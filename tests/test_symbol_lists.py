"""Lists of symbols in files: what is taken from them, and what is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from kitetui.config import ConfigError, load
from kitetui.symbol_lists import BYTES_MAX, ListError, expanded, read_list

CONSTITUENTS = """\ufeffCompany Name,Industry,Symbol,Series,ISIN Code
"Adani Ports, Ltd.",Services,ADANIPORTS,EQ,INE742F01042
Bajaj Auto Ltd.,Automobile,BAJAJ-AUTO,EQ,INE917I01010
,,,,
Mahindra & Mahindra Ltd.,Automobile,M&M,EQ,INE101A01026
"""


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        (CONSTITUENTS, ["ADANIPORTS", "BAJAJ-AUTO", "M&M"]),
        ('"SYMBOL \n","LTP \n"\n"NIFTY 50","1"\n"TCS","2"\n', ["NIFTY 50", "TCS"]),
        ("# mine\nTCS\n\nINFY  # later\r\nBSE:SENSEX\n", ["TCS", "INFY", "BSE:SENSEX"]),
        ("Symbol,Weight\nTCS,1\nINFY", ["TCS", "INFY"]),
        ("# of today\n\nSymbol,Weight\nTCS,1\n", ["TCS"]),
        ("Symbol\nTCS\nINFY\n", ["TCS", "INFY"]),
    ],
)
def test_tables_and_lines_are_read(text: str, symbols: list[str], tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text(text, encoding="utf-8", newline="")
    assert read_list(path) == symbols


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "expected a column 'Symbol', or a symbol a line"),
        (b"Symbol,Weight\n", "expected a column"),
        (b"\xff\xfe", "is not UTF-8 text"),
        (b"x" * (BYTES_MAX + 1), "larger than"),
        (b"TCS\n\x1b[2J\n", "is no symbol"),
        (b"y" * 100, "is no symbol"),
        (b"Ticker,Name\nRELIANCE,Reliance Industries\n", "a table needs a column 'Symbol'"),
        (b"TCS;INFY\n", "is no symbol"),
        ("€".encode() * BYTES_MAX, "larger than"),
    ],
)
def test_what_holds_no_list_is_refused_by_name(data: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(data)
    with pytest.raises(ListError, match=words) as refused:
        read_list(path)
    assert str(refused.value).startswith(str(path))


def test_a_file_stands_where_it_is_named_and_nothing_is_twice(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("TCS\nINFY\n")
    assert expanded(["INFY", "@a", "SBIN"], tmp_path) == ["INFY", "TCS", "SBIN"]


def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ListError, match="names no file"):
        expanded(["@a\0b"], tmp_path)


def test_a_universe_names_a_file_beside_it(tmp_path: Path) -> None:
    (tmp_path / "universe.yaml").write_text('universes: {watch: {stocks: ["@nifty.csv", SBIN]}}\n')
    with pytest.raises(ConfigError, match=r"universe\.yaml: universe\.universes\.watch\.stocks: "
                                          r".*nifty\.csv: No such file"):  # fmt: skip
        load(tmp_path)
    (tmp_path / "nifty.csv").write_text(CONSTITUENTS, encoding="utf-8")
    settings = load(tmp_path)
    assert settings.universes["watch"].stocks == ["ADANIPORTS", "BAJAJ-AUTO", "M&M", "SBIN"]
    assert settings.universes["watch"].focus[0] == "RELIANCE"
