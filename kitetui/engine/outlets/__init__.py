"""What the engine tells the outside: Redis, channels that reach a person, logs, black boxes."""
