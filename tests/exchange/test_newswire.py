"""The simulated newswire: its headlines name the stock that the burst is in."""

from __future__ import annotations

from datetime import date

from kitetui.config import load
from kitetui.engine.alerts.newsroom import Newsroom
from kitetui.engine.feed.news import read_feed
from kitetui.engine.market.instruments import Instrument, Rows
from kitetui.exchange.listing import listing
from kitetui.exchange.market import Burst
from kitetui.exchange.newswire import newswire


def test_every_headline_names_its_stock() -> None:
    listed = listing(date(2026, 11, 27), 90)
    rows = Rows(200)
    rows.add([Instrument(token=one.token, tradingsymbol=one.symbol, exchange="NSE", kind=one.kind,
                         name=one.name) for one in listed])  # fmt: skip
    for at, stock in enumerate(listed):
        if stock.kind != "EQ":
            continue
        wire = newswire([Burst(at, 100.0, 200.0, -1)], listed, 150.0)
        (headline,) = read_feed(wire, "wire")
        (item,) = Newsroom(load().news, rows).take([headline], 150)
        assert stock.symbol in item.symbols, headline.title
