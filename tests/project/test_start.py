"""A process that serves imports what serving needs, and nothing else."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from app.config.settings import ROOT
from app.system.health import newest_migration
from tests.support.databases import ENVIRONMENT

LOADED = "import json, sys; from {module} import app; print(json.dumps(sorted(sys.modules)))"
# Of commands, migrations, the contract, a storage, pictures, names of countries, Redis, guessable passwords.
NEEDLESS = {
    "PIL", "alembic", "apispec", "app.cli.guardian", "app.cli.users", "app.core.openapi", "app.demo", "boto3",
    "botocore", "flask_migrate", "flask_swagger_ui", "gunicorn", "mako", "psycopg", "pycountry", "redis", "yaml",
    "zxcvbn",
}  # fmt: skip


def modules_loaded(module: str, tmp_path: Path, **environment: str) -> set[str]:
    """The modules, and the packages that they are in, of a process that is ready to serve on SQLite."""
    own = ENVIRONMENT | {"DATABASE_URL": f"sqlite:///{tmp_path}/start.db"} | environment
    command = [sys.executable, "-c", LOADED.format(module=module)]
    answer = subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True, check=True)
    return set(json.loads(answer.stdout.splitlines()[-1]))


@pytest.mark.parametrize("module", ["wsgi", "guardian_wsgi"])
def test_serving_does_not_import_what_only_commands_and_rare_requests_need(module: str, tmp_path: Path) -> None:
    assert modules_loaded(module, tmp_path) & NEEDLESS == set()


def test_rate_limits_in_redis_import_its_client(tmp_path: Path) -> None:
    limited = {"RATELIMIT_ENABLED": "true", "RATELIMIT_STORAGE_URI": "redis://127.0.0.1:1"}

    assert {"redis", "app.clients.redis_storage"} <= modules_loaded("wsgi", tmp_path, **limited)


def test_the_newest_migration_is_the_one_that_alembic_takes_for_it() -> None:
    assert newest_migration() == ScriptDirectory(str(ROOT / "migrations")).get_current_head()
