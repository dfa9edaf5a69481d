"""The form of what callers send and receive."""
