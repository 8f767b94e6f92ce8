"""The Redis contract: keys, publisher, embedded server."""
