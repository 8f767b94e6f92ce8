"""Where it goes: the journal and Redis."""
