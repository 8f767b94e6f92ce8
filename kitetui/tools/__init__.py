"""The commands that are not the engine: decode, import, export, serve."""
