"""``python run.py``: the development server with automatic reload."""

import os

from werkzeug.serving import is_running_from_reloader

from app.core.jobs.worker import start_worker
from wsgi import app

if __name__ == "__main__":
    # wsgi has read .env.development, so the environment is complete here. The browser debugger stays off:
    # it shows stack traces and runs code for anybody with access to the port.
    development = (os.environ.get("FLASK_ENV") or "development") == "development"
    if not development or is_running_from_reloader():
        start_worker(app)
    app.run(debug=development, use_debugger=False, load_dotenv=False)
