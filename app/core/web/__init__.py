"""The path of a request: authentication, permission, body, answer, errors, logs."""
