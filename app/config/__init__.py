"""The environment, its faults and its example."""
