"""The Flask extensions of the application."""

from flask_migrate import Migrate

from app.core.db.models import db

migrate = Migrate()

__all__ = ["db", "migrate"]
