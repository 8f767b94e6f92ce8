"""What we know: instruments, clean ticks, bars, indicators, volume."""
