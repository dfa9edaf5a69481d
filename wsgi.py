"""The WSGI application: ``gunicorn wsgi:app`` and every ``flask`` command start here."""

import os
import sys

import dev_env
from app import create_app
from app.base.errors import SettingsError

# gunicorn takes this code for "cannot boot" and stops, where any other would make it try for ever.
BOOT_ERROR = 3

dev_env.load(os.environ)

try:
    app = create_app()
except SettingsError as error:
    print(error, file=sys.stderr)
    sys.exit(BOOT_ERROR)
