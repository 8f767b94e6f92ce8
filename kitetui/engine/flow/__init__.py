"""The way of a tick: input records, journalled, become bars, signals, alerts and their outcomes."""
