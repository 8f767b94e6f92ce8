"""Run in a process of its own: compares our decode with kiteconnect's parser, tick by tick."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from kiteconnect import KiteTicker

from kitetui.engine.feed import wire


def plain(value):
    """The official ticks with naive UTC times as epoch seconds."""
    if isinstance(value, datetime):
        return int(value.replace(tzinfo=UTC).timestamp())
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value


def main() -> None:
    ticker = KiteTicker("key", "token")
    data = Path(sys.argv[1]).read_bytes()
    at = compared = different = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        frame = data[at + 4 : at + 4 + size]
        at += 4 + size
        theirs = ticker._parse_binary(frame)
        ours = wire.to_dicts(wire.decode([frame]).batch)
        assert len(theirs) == len(ours), (len(theirs), len(ours))
        for left, right in zip(theirs, ours, strict=True):
            compared += 1
            if plain(left) != right:
                different += 1
                if different == 1:
                    print(plain(left), right, file=sys.stderr)
    print(json.dumps({"compared": compared, "different": different}))


main()
