"""``python run.py``: the development server, which reloads changed code."""

import os

from werkzeug.serving import is_running_from_reloader

from app.core.jobs.worker import start_worker
from wsgi import app

if __name__ == "__main__":
    # The environment is complete here: wsgi has read .env.development. The browser debugger stays
    # off, because it shows stack traces and runs code for whoever reaches the port.
    development = (os.environ.get("FLASK_ENV") or "development") == "development"
    if not development or is_running_from_reloader():
        start_worker(app)
    app.run(debug=development, use_debugger=False, load_dotenv=False)
