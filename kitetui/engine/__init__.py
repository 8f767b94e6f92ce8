"""The engine: bytes become columns, columns bars, bars signals, signals alerts."""
