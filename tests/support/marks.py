"""Where a test runs, and how often. Without a mark a test of the database runs on SQLite and on PostgreSQL, once."""

import pytest

one_database = pytest.mark.databases("sqlite")
"""The outcome is decided before or after the database, and the same on either: the quicker one is enough."""

only_sqlite = pytest.mark.databases("sqlite")
"""About SQLite itself."""

only_postgresql = pytest.mark.databases("postgresql")
"""About PostgreSQL itself: its locks, row-level security or timeouts."""

both_databases = pytest.mark.databases("sqlite", "postgresql")
"""The exception in a module of ``one_database``."""

flaky = pytest.mark.flaky(reruns=2)
"""Depends on when the machine's scheduler lets which process run. The summary counts a second attempt."""
