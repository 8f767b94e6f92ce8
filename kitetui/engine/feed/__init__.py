"""Bytes in: wire format, Kite protocol, drivers, recorded journals."""
