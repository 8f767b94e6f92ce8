"""What Redis holds of each symbol beside its ticks: conflated, absolute values, off the loop."""
