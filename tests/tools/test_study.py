"""`kitetui study`: every value of a bar file, and every line that is wrong by its number."""

from __future__ import annotations

import csv
import json
import random
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kitetui.cli.main import cli
from kitetui.config import load
from tests.golden.series import read_csv

OURS = Path(__file__).parents[1] / "golden" / "ours"


def study(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["study", *map(str, arguments)])


def bars(count: int = 120, day: str = "2025-03-03") -> list[list[str]]:
    rng = random.Random(4)
    price = 500.0
    out = []
    for n in range(count):
        close = round(price + rng.randint(-6, 6) * 0.05, 2)
        high, low = max(price, close) + 0.1, min(price, close) - 0.1
        minute = 9 * 60 + 15 + n
        out.append([f"{day} {minute // 60:02}:{minute % 60:02}:00", f"{price:.2f}", f"{high:.2f}",
                    f"{low:.2f}", f"{close:.2f}", str(rng.randint(100, 900))])  # fmt: skip
        price = close
    return out


def write(path: Path, lines: list[list[str]], head: str = "ts,open,high,low,close,volume") -> Path:
    path.write_text("\n".join([head, *(",".join(line) for line in lines)]) + "\n")
    return path


def test_our_own_series_gives_the_same_tables_as_ever(tmp_path: Path) -> None:
    done = study(OURS / "planted.csv", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    for kind in ("indicators", "swings", "gaps", "levels", "pools"):
        ours = read_csv(tmp_path / "out" / f"planted.{kind}.csv")
        wanted = read_csv(OURS / f"planted.{kind}.csv")
        assert len(ours) == len(wanted) > 0, kind
        for line, told in zip(ours, wanted, strict=True):
            for column, value in told.items():
                try:
                    assert float(line[column]) == pytest.approx(float(value), rel=1e-12), column
                except ValueError:
                    assert line[column] == value, (kind, column)
    found = json.loads((tmp_path / "out" / "summary.json").read_text())[0]
    assert found["bars"] == 200 and found["timeframe"] == "1m" and not found["warm"]
    assert (tmp_path / "out" / "summary.json").stat().st_mode & 0o777 == 0o600


COST = load().outcomes.costs_pct["equity"] / 100


def test_signals_with_their_outcomes_and_the_scoreboard_of_them(tmp_path: Path) -> None:
    done = study(OURS / "fired.csv", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "scoreboard of fired, parameters" in done.output and "null" in done.output
    signals = read_csv(tmp_path / "out" / "fired.signals.csv")
    board = json.loads((tmp_path / "out" / "fired.scoreboard.json").read_text())["lines"]
    settled = [line for line in signals if line["outcome"]]
    assert len(settled) > 20
    assert sum(line["n"] + line["unresolvable"] for line in board) == len(settled)
    for line in board:
        mine = [s for s in settled if (s["pattern"], s["timeframe"]) ==
                (line["pattern"], line["timeframe"])]  # fmt: skip
        assert line["hits"] == sum(s["outcome"] == "target" for s in mine)
        assert line["low"] <= line["rate"] <= line["high"] and 0 < line["null"] < 1
        assert line["gross_r"] == pytest.approx(
            sum(float(s["r"]) for s in mine) / len(mine), abs=2e-4
        )
        costs = [COST * float(s["entry"]) / abs(float(s["entry"]) - float(s["stop"]))
                 for s in mine]  # fmt: skip
        assert line["gross_r"] - line["expectancy_r"] == pytest.approx(
            sum(costs) / len(mine), rel=2e-3
        )
        assert not line["claim"], "nobody may say 80 % of so few"
    for line in settled:
        reached = (float(line["target"]) - float(line["entry"])) * int(line["side"])
        assert (
            reached > 0 and 0 <= float(line["score"]) <= 1 and 0 <= float(line["confidence"]) <= 1
        )
        if line["outcome"] == "target":
            assert float(line["r"]) > 0 and float(line["best_r"]) > 0
        if line["outcome"].startswith("stop"):
            assert float(line["r"]) < 0


def test_parquet_and_csv_say_the_same(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq

    lines = bars()
    pq.write_table(pa.csv.read_csv(write(tmp_path / "a.csv", lines)), tmp_path / "b.parquet")
    done = study(tmp_path / "a.csv", tmp_path / "b.parquet", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    a, b = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert a["last"] == b["last"] and a["levels"] == b["levels"]


@pytest.mark.parametrize(
    ("change", "said", "left"),
    [
        ({1: "nan"}, "open is no positive price: 'nan'; left out", 119),
        ({2: "0.05"}, "high is below another price; left out", 119),
        ({3: "900"}, "high is below another price; left out", 119),
        ({4: "-3"}, "close is no positive price: '-3'; left out", 119),
        ({4: "1e30"}, "close is no positive price: '1e30'; left out", 119),
        ({1: "10", 3: "10"}, "far from the bars on both sides; left out", 119),
        ({5: "-1"}, "volume is no count: '-1'; left out", 119),
        ({5: "x"}, "volume is no count: 'x'; left out", 119),
        ({0: "yesterday"}, "time cannot be read: 'yesterday'; left out", 119),
        ({0: "²"}, "time cannot be read: '²'; left out", 119),
        ({0: "9" * 25}, "time cannot be read: '9999999999999999999999999'; left out", 119),
        ({0: "1" * 5000}, f"time cannot be read: '{'1' * 40}'; left out", 119),
        ({0: "2025-03-03 09:15:00"}, "earlier than the line before; sorted", 119),
        ({0: "2025-03-03 09:20:00"}, "the same time as a later line; left out", 119),
    ],
)
def test_a_wrong_line_is_named_and_poisons_nothing(
    change: dict[int, str], said: str, left: int, tmp_path: Path
) -> None:
    lines = bars()
    for column, text in change.items():
        lines[50][column] = text
    path = write(tmp_path / "wrong.csv", lines)
    done = study(path, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert any(f"{path}, line " in told and said in told for told in done.stderr.splitlines())
    if "sorted" not in said and "same time" not in said:
        assert f"{path}, line 52: {said}" in done.stderr
    assert json.loads((tmp_path / "out" / "summary.json").read_text())[0]["bars"] == left
    values = read_csv(tmp_path / "out" / "wrong.indicators.csv")
    assert all(v["ema5"] == "" or 400 < float(v["ema5"]) < 600 for v in values)


def test_a_shuffled_file_gives_the_same_values(tmp_path: Path) -> None:
    lines = bars()
    shuffled = lines[:]
    random.Random(1).shuffle(shuffled)
    study(write(tmp_path / "a.csv", lines), write(tmp_path / "b.csv", shuffled), "--out",
          tmp_path / "out")  # fmt: skip
    a, b = ((tmp_path / "out" / f"{n}.indicators.csv").read_text() for n in "ab")
    assert a == b


def test_missing_columns_are_named_with_what_was_found(tmp_path: Path) -> None:
    done = study(write(tmp_path / "x.csv", [["1", "2"]], "when,open"))
    assert done.exit_code == 78
    assert "lacks time (ts or time" in done.stderr and "found when, open" in done.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "lacks time"),
        (b"ts,open,high,low,close\n", "no line holds a bar"),
        (b"\xff\xfe\x00", "is not CSV"),
        (b"PAR1 not really", "lacks"),
    ],
)
def test_files_that_are_no_bars(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    done = study(path)
    assert done.exit_code == 78 and said in done.stderr
    assert "Traceback" not in done.output
    broken = tmp_path / "x.parquet"
    broken.write_bytes(content)
    assert study(broken).exit_code == 78


def test_no_such_file_and_bars_of_no_known_length(tmp_path: Path) -> None:
    assert "no such file" in study(tmp_path / "none.csv").stderr
    sevens = [line for n, line in enumerate(bars()) if n % 7 == 0]
    done = study(write(tmp_path / "seven.csv", sevens))
    assert done.exit_code == 78 and "bars of 7 minutes; known are 1m, 3m, 5m" in done.stderr


def test_bars_outside_the_session_are_left_out_and_said(tmp_path: Path) -> None:
    night = [["2025-03-03 20:00:00", "500", "501", "499", "500", "10"]]
    done = study(write(tmp_path / "night.csv", bars() + night), "--out", tmp_path / "out")
    assert "1 bars outside sessions were left out" in done.stderr
    done = study(write(tmp_path / "holiday.csv", bars(day="2025-03-02")))
    assert done.exit_code == 78 and "no bar lies inside a session" in done.stderr


def test_an_instrument_without_a_tick_has_everything_but_a_profile(tmp_path: Path) -> None:
    done = study(write(tmp_path / "a.csv", bars()), "--tick", "0", "--out", tmp_path / "out")
    assert done.exit_code == 0 and "no tick size, so no profile" in done.stderr
    found = json.loads((tmp_path / "out" / "summary.json").read_text())[0]
    assert found["levels"] is None and found["last"]["rsi14"] is not None
    with (tmp_path / "out" / "a.levels.csv").open() as file:
        assert next(csv.DictReader(file))["poc"] == ""


def test_a_cut_off_gzip_is_named(tmp_path: Path) -> None:
    import gzip

    whole = gzip.compress(write(tmp_path / "x.csv", bars()).read_bytes())
    for at, content in enumerate((whole[:-20], whole[:40], whole[:30] + b"?" * 60)):
        path = tmp_path / f"cut{at}.csv.gz"
        path.write_bytes(content)
        done = study(path)
        assert done.exit_code == 78 and str(path) in done.stderr, done.output
        assert "Traceback" not in done.output and done.exc_info is not None
        assert isinstance(done.exception, SystemExit)


def test_one_absurd_high_asks_for_no_memory(tmp_path: Path) -> None:
    lines = bars()
    lines[60][2] = "420000"
    done = study(write(tmp_path / "a.csv", lines), "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "out" / "summary.json").read_text())[0]
    assert 400 < found["levels"]["poc"] < 600
    assert "line 62: far from the bars on both sides; left out" in done.stderr
    assert found["bars"] == 119 and found["last"]["atr14"] < 10


def test_pools_do_not_know_what_comes_later(tmp_path: Path) -> None:
    lines = bars(300)
    later = [*lines, [f"2025-03-03 {(9 * 60 + 15 + 300) // 60:02}:15:00", "1500", "1501", "1499",
                      "1500", "10"]]  # fmt: skip
    study(write(tmp_path / "a.csv", lines), write(tmp_path / "b.csv", later), "--out",
          tmp_path / "out")  # fmt: skip
    a, b = (read_csv(tmp_path / "out" / f"{n}.pools.csv") for n in "ab")
    known = ("side", "level", "touches", "first_bar", "last_bar")
    assert [[p[k] for k in known] for p in a] == [[p[k] for k in known] for p in b][: len(a)]
    assert len(a) > 1


def test_a_file_of_several_symbols_is_a_series_each_and_one_scoreboard(tmp_path: Path) -> None:
    lines = (OURS / "fired.csv").read_text().splitlines()
    head, body = lines[0], lines[1:]
    both = [f"{symbol},1m,{line}" for line in body for symbol in ("ONE", "BSE:TWO")]
    longer = [f"ONE,5m,{line}" for line in body[::5]]
    path = tmp_path / "bars.csv"
    path.write_text("\n".join([f"symbol,timeframe,{head}", *both, *longer]))
    done = study(path, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "scoreboard of all 2 series" in done.output
    alone = study(OURS / "fired.csv", "--out", tmp_path / "alone")
    assert alone.exit_code == 0
    first = (tmp_path / "alone" / "fired.signals.csv").read_text()
    assert (tmp_path / "out" / "ONE.signals.csv").read_text() == first
    assert (tmp_path / "out" / "BSE_TWO.signals.csv").read_text() == first
    one = json.loads((tmp_path / "alone" / "scoreboard.json").read_text())
    two = json.loads((tmp_path / "out" / "scoreboard.json").read_text())
    assert one["parameters"] == two["parameters"]
    for single, double in zip(one["lines"], two["lines"], strict=True):
        assert double["n"] == 2 * single["n"] and double["hits"] == 2 * single["hits"]
        assert double["independent"] == 2 * single["independent"]


def test_bars_under_a_minute_are_refused_and_daily_ones_of_midnight_taken(tmp_path: Path) -> None:
    lines = bars(30)
    second = datetime(2025, 12, 15, 9, 15)
    quick = [[(second + timedelta(seconds=15 * n)).isoformat(), *line[1:]]
             for n, line in enumerate(lines)]  # fmt: skip
    refused = study(write(tmp_path / "q.csv", quick))
    assert refused.exit_code == 78 and "bars of 15 s" in refused.stderr
    days = [[f"2025-12-{day:02} 00:00:00", *lines[day][1:]] for day in (8, 9, 10, 11, 12)]
    done = study(write(tmp_path / "d.csv", days), "--minutes", "1440", "--out",
                 tmp_path / "out")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "out" / "summary.json").read_text())[0]["bars"] == 5


def test_prices_with_four_digits_keep_them(tmp_path: Path) -> None:
    lines = bars(30)
    fine = [[line[0], "84.2525", "84.2575", "84.2500", "84.2550", *line[5:]] for line in lines]
    done = study(write(tmp_path / "USDINR.csv", fine), "--tick", "0.0025", "--out",
                 tmp_path / "out")  # fmt: skip
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "out" / "summary.json").read_text())[0]
    assert found["levels"]["poc"] == pytest.approx(84.245), "the lower edge of its bin of 0.0175"


def test_what_a_file_holds_cannot_speak_to_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("\x1b]0;pwned\x07,b\n1,2\n")
    done = study(path)
    assert done.exit_code == 78
    assert "\x1b" not in done.stderr and "\x07" not in done.stderr and "pwned" in done.stderr
