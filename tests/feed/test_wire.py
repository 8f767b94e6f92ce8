"""Decoding and encoding of Kite's frames."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from kitetui.engine.feed import wire
from kitetui.engine.feed.batch import INDEX_FULL, INDEX_QUOTE, LTP, QUOTE, TickBatch
from tests.samples import frame, full_tick


def packet(length: int, *words: int) -> bytes:
    return struct.pack(f">{len(words)}I", *words).ljust(length, b"\0")


def test_index_packets_are_high_low_open_close() -> None:
    body = packet(INDEX_FULL, 256265, 25_960_00, 26_000_00, 25_900_00, 25_910_00, 25_800_00, 0,
                  1_765_770_300)  # fmt: skip
    tick = wire.decode([wire.encode_frame([body])]).batch
    assert (tick.high[0], tick.low[0], tick.open[0], tick.close[0]) == (
        26_000_00, 25_900_00, 25_910_00, 25_800_00)  # fmt: skip
    assert tick.exch_s[0] == 1_765_770_300


def test_quote_packets_are_open_high_low_close() -> None:
    body = packet(QUOTE, 738561, 100, 1, 2, 3, 4, 5, 10, 20, 30, 40)
    tick = wire.decode([wire.encode_frame([body])]).batch
    assert (tick.open[0], tick.high[0], tick.low[0], tick.close[0]) == (10, 20, 30, 40)


def test_prices_and_quantities_are_unsigned_and_only_change_is_signed() -> None:
    quote = packet(QUOTE, 738561, 0xFFFFFFFE, 0, 0, 3_000_000_000, 4_294_967_295, 0, 0, 0, 0, 0)
    index = packet(INDEX_QUOTE, 256265, 1, 2, 3, 4, 5, 0xFFFFFFDC)
    batch = wire.decode([wire.encode_frame([quote, index])]).batch
    assert batch.ltp[0] == 0xFFFFFFFE
    assert batch.volume[0] == 3_000_000_000
    assert batch.tbq[0] == 4_294_967_295
    assert batch.change[1] == -36


def test_order_counts_have_16_bits() -> None:
    tick = full_tick()
    tick.depth[0, 0] = (5, 141_190, 65_535)
    decoded = wire.decode([frame(tick)]).batch
    assert decoded.depth[0, 0].tolist() == [5, 141_190, 65_535]


@pytest.mark.parametrize(
    ("token", "raw", "rupees"),
    [(31132428, 3_782_000, 378.20), (33539084, 84_940_000, 8494.0), (738561, 141_200, 1412.0),
     (256265, 912_685, 9126.85), (1 << 8 | 3, 833_000_000, 83.3), (1 << 8 | 6, 833_000, 83.3)],
)  # fmt: skip
def test_divisors_follow_the_segment(token: int, raw: int, rupees: float) -> None:
    ltp = wire.decode([wire.encode_frame([packet(LTP, token, raw)])]).batch
    assert wire.to_dicts(ltp)[0]["last_price"] == rupees


def test_heartbeats_hold_nothing() -> None:
    decoded = wire.decode([b"", b"\0", b"\xff"])
    assert (decoded.heartbeats, decoded.announced, len(decoded.batch)) == (3, 0, 0)


def test_whole_packets_of_a_truncated_frame_are_kept() -> None:
    whole = frame(full_tick(), full_tick(token=341249), full_tick(token=408065))
    decoded = wire.decode([whole[:-1]])
    assert decoded.batch.token.tolist() == [738561, 341249]
    assert decoded.rejected == {"truncated": 1}
    assert (decoded.announced, decoded.bad_frames) == (3, 1)


def test_an_unknown_length_is_skipped_by_its_length() -> None:
    packets = wire.encode_packets(full_tick())
    decoded = wire.decode([wire.encode_frame([b"x" * 12, *packets, b"y" * 164])])
    assert decoded.batch.token.tolist() == [738561]
    assert decoded.rejected == {"unknown_length": 2}


def test_trailing_bytes_are_counted_and_cost_no_packet() -> None:
    decoded = wire.decode([frame(full_tick()) + b"abc"])
    assert (len(decoded.batch), decoded.trailing_bytes, decoded.rejected) == (1, 3, {})


def test_a_bad_frame_between_good_ones_costs_only_itself() -> None:
    good = frame(full_tick())
    decoded = wire.decode([good, b"\x00\x09garbage", good], [1, 2, 3])
    assert decoded.batch.recv_ns.tolist() == [1, 3]
    assert decoded.rejected == {"truncated": 9}


def test_a_zlib_stream_is_inflated_within_its_cap() -> None:
    packed = zlib.compress(frame(full_tick(), full_tick(token=341249)))
    assert packed[0] == 0x78
    decoded = wire.decode([packed])
    assert (decoded.inflated, len(decoded.batch), decoded.rejected) == (1, 2, {})
    bomb = zlib.compress(b"\0" * (wire.INFLATED_MAX + 1))
    assert wire.decode([bomb]).inflated == 0


def test_coalesced_frames_keep_their_order_and_times() -> None:
    frames = [frame(full_tick(token=t << 8 | 1), full_tick(token=9 << 8 | 2)) for t in range(1, 6)]
    frames.insert(2, b"\0")
    batch = wire.decode(frames, [10, 20, 25, 30, 40, 50]).batch
    assert batch.token[::2].tolist() == [t << 8 | 1 for t in range(1, 6)]
    assert batch.recv_ns.tolist() == [10, 10, 20, 20, 30, 30, 40, 40, 50, 50]


def test_an_unknown_packet_length_cannot_be_encoded() -> None:
    tick = TickBatch(1)
    tick.length[:] = 12
    with pytest.raises(ValueError, match="no packet is 12 bytes"):
        wire.encode_packets(tick)


def test_recorded_frames_decode_as_the_official_clients_do(shared: Path) -> None:
    files = sorted((shared / "kite").glob("*.bin"))
    assert len(files) == 6
    for path in files:
        expected = json.loads(path.with_suffix(".expected.json").read_text())
        decoded = wire.decode([path.read_bytes()])
        if expected["kind"] == "heartbeat":
            assert decoded.heartbeats == 1
            continue
        assert decoded.announced == expected["declared"]
        assert ("truncated" in decoded.rejected) == expected["truncated"]
        ticks = wire.to_dicts(decoded.batch)
        assert len(ticks) == len(expected["packets"])
        for at, (tick, wanted) in enumerate(zip(ticks, expected["packets"], strict=True)):
            _compare(path.name, tick, wanted)
            assert int(decoded.batch.length[at]) == wanted["length"]


def _compare(name: str, tick: dict[str, object], wanted: dict[str, object]) -> None:
    for field, value in wanted.items():
        if field in ("length", "segment", "exchange_token", "divisor", "price_change_wire_i32"):
            continue
        if field.endswith("_ist"):
            continue
        if field == "depth":
            for side in ("buy", "sell"):
                levels = [{k: v for k, v in level.items() if k != "pad"} for level in value[side]]  # type: ignore[index]
                assert tick["depth"][side] == levels, name  # type: ignore[index]
        elif field == "change_pct":
            assert np.isclose(tick["change"], value), name  # type: ignore[arg-type]
        else:
            assert tick[field] == value, (name, field)
