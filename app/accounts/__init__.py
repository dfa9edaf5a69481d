"""How people get an account, sign in and recover it."""
