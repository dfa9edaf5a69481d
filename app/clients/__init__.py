"""Everything that leaves the process."""
