"""Values and errors that every floor shares; imports nothing of ours."""
