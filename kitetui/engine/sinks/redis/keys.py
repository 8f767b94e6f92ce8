"""Names of keys and channels, from the templates of redis.yaml."""

from __future__ import annotations

from functools import lru_cache

from kitetui.settings import RedisSettings


def key_symbol(symbol: str) -> str:
    """A symbol as keys carry it: `:` separates a key's parts, so it is percent-encoded."""
    return symbol.replace("%", "%25").replace(":", "%3A")


class Names:
    """Key and channel names of one configuration, as bytes.

    Every stream, hash and string belongs to a store; its prefix is part of the name.
    """

    def __init__(self, settings: RedisSettings) -> None:
        self._settings = settings
        self.raw_stream = self._in("continuous_market", settings.keys.raw_stream)
        self.processed_stream = self._in("continuous_market", settings.keys.processed_stream)
        self.alert_stream = self._in("alerts", settings.keys.alert_stream)
        self.system_stream = self._in("alerts", settings.keys.system_stream)
        self.outcome_stream = self._in("alerts", settings.keys.outcome_stream)
        self.news_stream = self._in("news", settings.keys.news_stream)
        self.ticks_channel = settings.channels.ticks.encode()
        self.alerts_new = settings.channels.alerts_new.encode()
        self.alerts_system = settings.channels.alerts_system.encode()
        self.latest = lru_cache(16_384)(self._latest)
        self.session = lru_cache(16_384)(self._session)
        self.depth = lru_cache(16_384)(self._depth)
        self.flow = lru_cache(16_384)(self._flow)

    def db(self, store: str) -> int:
        """The number of a store's database."""
        return self._settings.stores[store].db

    def _in(self, store: str, name: str) -> bytes:
        return (self._settings.stores[store].prefix + name).encode()

    def _latest(self, symbol: str) -> bytes:
        name = self._settings.keys.latest.format(symbol=key_symbol(symbol))
        return self._in("continuous_market", name)

    def _session(self, symbol: str, date: str) -> bytes:
        name = self._settings.keys.session.format(symbol=key_symbol(symbol), date=date)
        return self._in("system", name)

    def _depth(self, symbol: str) -> bytes:
        name = self._settings.keys.depth.format(symbol=key_symbol(symbol))
        return self._in("microstructure", name)

    def _flow(self, symbol: str) -> bytes:
        name = self._settings.keys.flow.format(symbol=key_symbol(symbol))
        return self._in("microstructure", name)

    def premarket(self, symbol: str) -> bytes:
        """The stream of a symbol's pre-open packets."""
        name = self._settings.keys.premarket_trades.format(symbol=key_symbol(symbol))
        return self._in("premarket", name)

    def opening(self, date: str) -> bytes:
        """The hash of a date's equilibrium and opening prices."""
        return self._in("premarket", self._settings.keys.opening_data.format(date=date))

    def buckets(self, symbol: str, date: str, hour: int, minute: int) -> list[bytes]:
        """The canonical bucket key, and the two older ones where `legacy_keys` is on."""
        keys = self._settings.keys
        templates = [keys.bucket]
        if self._settings.legacy_keys:
            templates += [keys.bucket_legacy_1, keys.bucket_legacy_2]
        return [
            self._in(
                "cumulative_volume",
                t.format(symbol=key_symbol(symbol), date=date, hour=hour, minute=minute),
            )
            for t in templates
        ]

    def alert(self, alert_id: str) -> bytes:
        """The hash that holds an alert's whole life."""
        return self._in("alerts", self._settings.keys.alert.format(alert_id=alert_id))

    def sentiment(self, symbol: str) -> bytes:
        """The hash of a symbol's newest headline."""
        return self._in("news", self._settings.keys.sentiment.format(symbol=key_symbol(symbol)))

    def scoreboard(self, date: str) -> bytes:
        """The hash of a date's scoreboard."""
        return self._in("metrics", self._settings.keys.scoreboard.format(date=date))

    def asset_channel(self, asset_class: str) -> bytes:
        """The channel of an asset class."""
        return self._settings.channels.asset_class.format(asset_class=asset_class).encode()

    def symbol_channel(self, symbol: str) -> bytes:
        """The channel of a symbol's alerts."""
        return self._settings.channels.alerts_symbol.format(symbol=key_symbol(symbol)).encode()
