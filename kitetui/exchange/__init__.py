"""A simulated Kite exchange: market, WebSocket and REST."""
