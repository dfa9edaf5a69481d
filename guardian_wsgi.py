"""The policy engine alone: ``gunicorn guardian_wsgi:app``, as run by ``flask guardian serve``."""

import gc
import logging
import os
import sys

# Looking for the garbage of imports takes a tenth of the start or more, and saves 0.4 MB of 67.
gc.disable()

import dev_env  # noqa: E402
from app import create_guardian  # noqa: E402
from app.base.errors import SettingsError  # noqa: E402

# gunicorn stops on this exit code of a worker ("cannot boot"). After any other code it would retry for ever.
BOOT_ERROR = 3

dev_env.load(os.environ)

try:
    app = create_guardian()
except SettingsError as error:
    # Plain text at a terminal, one line of the log under gunicorn.
    logging.getLogger("settings").critical(error)
    sys.exit(BOOT_ERROR)

# The imported objects live as long as the process, so later collections skip them.
gc.freeze()
gc.enable()
