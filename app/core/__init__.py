"""The kernel: what every slice relies on and none repeats."""
