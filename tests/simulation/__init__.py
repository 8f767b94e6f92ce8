"""Whole sessions in virtual time: the engine, the exchange and a Redis, with faults from a seed."""
