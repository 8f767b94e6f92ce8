"""What the simulated exchange lists: indices, stocks, futures and options, in Kite's columns."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Sequence
from datetime import date, timedelta

import msgspec

from kitetui.exchange.habits import open_interest_share

NSE, NFO = 1, 2
A_WEEK = timedelta(days=7)


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One instrument and how its price and trade behave.

    Attributes:
        price: rupees where the simulation starts; tick: price step in paise.
        beta, own_vol: sensitivity to the market; own volatility, a year's share.
        day_volume: shares of an ordinary day.
        underlying: position of the index or stock it derives from; -1 for none.
        oi_share: open interest in the morning, as a share of the usual.
    """

    token: int
    symbol: str
    name: str
    kind: str
    price: float
    tick: int = 5
    lot: int = 1
    beta: float = 1.0
    own_vol: float = 0.0
    day_volume: int = 0
    underlying: int = -1
    strike: float = 0.0
    expiry: str = ""
    oi_share: float = 1.0

    @property
    def exchange(self) -> str:
        return "NFO" if self.kind in ("FUT", "CE", "PE") else "NSE"

    @property
    def segment(self) -> str:
        if self.kind == "INDEX":
            return "INDICES"
        return {"EQ": "NSE", "FUT": "NFO-FUT"}.get(self.kind, "NFO-OPT")


_STOCKS = (
    # symbol, name, exchange token, price, beta, own volatility, shares a day, lot
    ("RELIANCE", "RELIANCE INDUSTRIES", 2885, 1412.0, 1.0, 0.16, 9_000_000, 500),
    ("HDFCBANK", "HDFC BANK", 1333, 986.0, 0.95, 0.13, 14_000_000, 550),
    ("ICICIBANK", "ICICI BANK", 4963, 1374.0, 1.0, 0.14, 10_000_000, 700),
    ("INFY", "INFOSYS", 1594, 1502.0, 0.85, 0.18, 7_000_000, 400),
    ("TCS", "TATA CONSULTANCY SERV", 11536, 3052.0, 0.75, 0.16, 2_500_000, 175),
    ("SBIN", "STATE BANK OF INDIA", 3045, 872.0, 1.2, 0.17, 12_000_000, 750),
    ("BHARTIARTL", "BHARTI AIRTEL", 10604, 2045.0, 0.8, 0.17, 5_000_000, 475),
    ("ITC", "ITC", 1660, 402.0, 0.6, 0.14, 11_000_000, 1600),
    ("LT", "LARSEN & TOUBRO", 11483, 3890.0, 1.1, 0.17, 1_800_000, 175),
    ("AXISBANK", "AXIS BANK", 5900, 1224.0, 1.15, 0.17, 7_000_000, 625),
    ("KOTAKBANK", "KOTAK MAHINDRA BANK", 1922, 2110.0, 0.9, 0.16, 3_500_000, 400),
    ("HINDUNILVR", "HINDUSTAN UNILEVER", 1394, 2412.0, 0.5, 0.14, 1_600_000, 300),
    ("BAJFINANCE", "BAJAJ FINANCE", 317, 1012.0, 1.25, 0.22, 6_000_000, 750),
    ("MARUTI", "MARUTI SUZUKI INDIA", 10999, 15990.0, 0.8, 0.18, 400_000, 50),
    ("SUNPHARMA", "SUN PHARMACEUTICAL", 3351, 1745.0, 0.55, 0.17, 2_200_000, 350),
    ("TITAN", "TITAN COMPANY", 3506, 3820.0, 0.9, 0.19, 1_000_000, 175),
    ("NTPC", "NTPC", 11630, 326.0, 0.9, 0.18, 11_000_000, 1500),
    ("TATASTEEL", "TATA STEEL", 3499, 172.0, 1.3, 0.23, 30_000_000, 5500),
    ("WIPRO", "WIPRO", 3787, 246.0, 0.8, 0.2, 9_000_000, 3000),
    ("ONGC", "OIL AND NATURAL GAS CORP", 2475, 248.0, 0.9, 0.2, 10_000_000, 2250),
)
_INDEXES = (("NIFTY 50", "NIFTY", 256265, 25_960.0, 1.0, 0.01, 75, 50.0),
            ("NIFTY BANK", "BANKNIFTY", 260105, 58_890.0, 1.08, 0.05, 35, 100.0))  # fmt: skip
VIX_TOKEN = 264969
VIX = 17.2
"""In the morning, before the news: above most past days, and above what prices realise."""


def listing(today: date, count: int) -> list[Listed]:
    """At least the core list, filled up with small stocks to `count` instruments.

    Underlyings come before what derives from them.
    """
    out: list[Listed] = [
        Listed(token=token, symbol=symbol, name=name, kind="INDEX", price=price, beta=beta,
               own_vol=own)
        for symbol, name, token, price, beta, own, _, _ in _INDEXES
    ]  # fmt: skip
    out.append(Listed(token=VIX_TOKEN, symbol="INDIA VIX", name="INDIA VIX", kind="INDEX",
                      price=VIX, beta=0.0))  # fmt: skip
    for symbol, name, number, price, beta, own, volume, _ in _STOCKS:
        out.append(Listed(token=number << 8 | NSE, symbol=symbol, name=name, kind="EQ",
                          price=price, beta=beta, own_vol=own, day_volume=volume,
                          tick=10 if price > 1000 else 5))  # fmt: skip
    number = 40_000
    month = monthly_expiry(today)
    for at, (_, name, _, price, _, _, lot, _) in enumerate(_INDEXES):
        number += 1
        out.append(Listed(token=number << 8 | NFO, symbol=f"{name}{month:%y%b}FUT".upper(),
                          name=name, kind="FUT", price=price * 1.003, tick=10, lot=lot,
                          day_volume=lot * 60_000, underlying=at,
                          expiry=month.isoformat()))  # fmt: skip
    stocks = {listed.symbol: at for at, listed in enumerate(out)}
    for symbol, _, _, price, _, _, volume, lot in _STOCKS:
        number += 1
        out.append(Listed(token=number << 8 | NFO, symbol=f"{symbol}{month:%y%b}FUT".upper(),
                          name=symbol, kind="FUT", price=price * 1.003,
                          tick=10 if price > 1000 else 5, lot=lot,
                          day_volume=volume // 3 // lot * lot, underlying=stocks[symbol],
                          expiry=month.isoformat()))  # fmt: skip
    week = weekly_expiry(today)
    for at, weekly, expiry in ((0, True, week), (1, False, month), (0, True, week + A_WEEK)):
        _, name, _, price, _, _, lot, step = _INDEXES[at]
        code = f"{expiry:%y}{expiry.month}{expiry:%d}" if weekly else f"{expiry:%y%b}"
        money = round(price / step) * step
        for offset in range(-14, 15):
            strike = money + offset * step
            for kind in ("CE", "PE"):
                number += 1
                near = max(1, 26 - abs(offset) * 2)
                out.append(Listed(token=number << 8 | NFO,
                                  symbol=f"{name}{code}{strike:.0f}{kind}".upper(), name=name,
                                  kind=kind, price=1.0, lot=lot,
                                  day_volume=lot * 9_000 * near, underlying=at, strike=strike,
                                  expiry=expiry.isoformat(),
                                  oi_share=open_interest_share(offset, offset == 0)))  # fmt: skip
    small = 50_000
    while len(out) < count:
        small += 1
        n = small - 50_000
        out.append(
            Listed(
                token=small << 8 | NSE,
                symbol=f"SIM{n:04d}",
                name=f"SIMULATED {n}",
                kind="EQ",
                price=50.0 + (n * 37) % 2400,
                beta=0.5 + n % 10 / 10,
                own_vol=0.2 + n % 7 / 30,
                day_volume=40_000 + (n * 7919) % 900_000,
            )
        )
    return out


def weekly_expiry(today: date) -> date:
    """The next Tuesday, today included."""
    return today + timedelta(days=(1 - today.weekday()) % 7)


def monthly_expiry(today: date) -> date:
    """The last Tuesday of the month, or of the next one when it has passed."""
    for shift in (0, 1):
        month = today.month - 1 + shift
        first_of_next = date(today.year + (month + 1) // 12, (month + 1) % 12 + 1, 1)
        last = first_of_next - timedelta(days=1)
        tuesday = last - timedelta(days=(last.weekday() - 1) % 7)
        if tuesday >= today:
            return tuesday
    raise AssertionError("every next month has a Tuesday")


def table(listed: Sequence[Listed], exchange: str = "") -> bytes:
    """The dump as Kite serves it: gzipped CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("instrument_token", "exchange_token", "tradingsymbol", "name", "last_price",
                     "expiry", "strike", "tick_size", "lot_size", "instrument_type", "segment",
                     "exchange"))  # fmt: skip
    for i in listed:
        if exchange and i.exchange != exchange:
            continue
        writer.writerow(
            (
                i.token,
                i.token >> 8,
                i.symbol,
                i.name,
                round(i.price, 2),
                i.expiry,
                f"{i.strike:g}",
                i.tick / 100,
                i.lot,
                "EQ" if i.kind == "INDEX" else i.kind,
                i.segment,
                i.exchange,
            )
        )
    return gzip.compress(out.getvalue().encode(), mtime=0)
