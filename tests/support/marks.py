"""Where a test runs. Without one of these marks a test of the database runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import pytest

one_database = pytest.mark.databases("sqlite")
"""The outcome is decided before or after the database, and the same on either: the quicker one is enough."""

only_sqlite = pytest.mark.databases("sqlite")
"""About SQLite itself."""

only_postgresql = pytest.mark.databases("postgresql")
"""About PostgreSQL itself: its locks, row-level security or timeouts."""
