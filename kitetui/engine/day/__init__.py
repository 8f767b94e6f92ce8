"""The course of a day: how an engine begins it, records it, comes back into it, and ends it."""
