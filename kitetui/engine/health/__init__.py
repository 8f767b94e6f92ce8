"""How we are: counters, latency, streams and consumer lag."""
