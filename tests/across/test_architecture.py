"""The rules of ``docs/architecture.md``, held against the sources."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app import mounts
from app.config.settings import ROOT
from app.core.crud.crud import Crud
from app.core.db.models import Model
from app.core.wire.schema import BaseSchema
from tests.across.sources import endpoints, sources, subclasses

LONGEST_FILE, LONGEST_FUNCTION, MOST_MODULES = 300, 45, 12


# Each floor may import itself and those before it.
FLOORS = ("base", "config", "clients", "core")


# Each slice may import the floors and the slices before it. The policy engine is mounted apart, example data never.
MOUNTED = [module.__name__.removeprefix("app.") for module in mounts.SLICES]
SLICES = (*MOUNTED[: MOUNTED.index("access")], "guardian", *MOUNTED[MOUNTED.index("access") :], "demo")
ORDER = (*FLOORS, *SLICES)
ASSEMBLY = ("app/__init__.py", "app/mounts.py", "app/cli/")
NETWORK = {
    "aiohttp", "boto3", "ftplib", "http.client", "httpx", "pycurl", "requests", "smtplib", "socket", "ssl", "telnetlib",
    "urllib.request", "urllib3", "websockets",
}  # fmt: skip


# Where a statement runs that the session's guard does not narrow, and why it may.
UNGUARDED = {
    "app/companies/service.py": 1,  # each company's counts, for the platform's list
    "app/customers/parts/tags.py": 1,  # one INSERT from a SELECT that names the tenant itself
    "app/core/crud/erase.py": 1,  # the whole of one tenant goes
    "app/core/db/row_json.py": 1,  # rows come back with their versions, which the ORM would begin anew
    "app/guardian/service.py": 1,  # the catalogue of permissions is global
}


# Where a transaction sees more than one company.
PLATFORM_SESSIONS = {
    "app/cli/users.py": 1,  # the operator names a company by its name
    "app/core/files/check.py": 1,  # which companies there are, for the operator's check
    "app/companies/resources.py": 1,  # the platform's list, and its changes of companies
    "app/customers/splitting.py": 1,  # which companies there are, for a command that goes through all of them
    "app/accounts/auth/sweep.py": 1,  # which companies there are, for the hourly sweep of each
    "app/accounts/onboarding/registration.py": 1,  # whether the name of a new company is free
    "app/system/service.py": 2,  # is there a company at all, and which is the platform's?
    "app/system/health.py": 1,  # the database answers; it is migrated
}


# Where a text of a lower floor equals the name of something in a slice, and why it may.
ROLE_PROTOCOL = ("role", "user_role")
NAMED = {
    "app/core/db/tenancy.py": ("company",),  # the tenants themselves
    "app/base/roles.py": ("customer",),  # the code of a role
    "app/clients/policy/authzen.py": ("user",),  # AuthZEN's type of a subject
    # Guardian's own fields and kinds of resources.
    "app/clients/policy/guardian.py": (
        "user_role", "user_policy", "user_permission", "position", "user", "organization_unit",
        "admin_password_reset",
    ),
    "app/clients/policy/guardian_api.py": ROLE_PROTOCOL,
    "app/clients/policy/remote_roles.py": ROLE_PROTOCOL,
}  # fmt: skip


def nodes(kind: type[Any], folder: str = "app") -> Iterator[tuple[str, Any]]:
    for path, tree in sources(folder).items():
        for node in ast.walk(tree):
            if isinstance(node, kind):
                yield path, node


def imports(folder: str = "app") -> Iterator[tuple[str, str]]:
    """Each file with each module that it imports, ``from a import b`` as a and as a.b."""
    for path, node in nodes((ast.Import, ast.ImportFrom), folder):  # type: ignore[arg-type]
        if isinstance(node, ast.Import):
            yield from ((path, alias.name) for alias in node.names)
        elif node.module is not None:
            yield path, node.module
            yield from ((path, f"{node.module}.{alias.name}") for alias in node.names)


def module_of(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def called(node: ast.Call) -> str:
    """The last name of what is called."""
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def slice_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if parts[0] == "app" and len(parts) > 1 else ""


def folder_of(path: str) -> str:
    return Path(path).parts[1].removesuffix(".py")


def test_only_the_unit_of_work_commits() -> None:
    found = {path for path, node in nodes(ast.Call) if called(node) == "commit"}

    assert found == {"app/core/db/transaction.py"}


def test_only_the_settings_read_the_environment() -> None:
    reads = {"os.environ", "os.environb", "os.getenv"}
    names = {path for path, node in nodes(ast.Attribute) if ast.unparse(node) in reads}
    imported = {path for path, module in imports() if module in {*reads, "dotenv"}}

    assert names | imported == {"app/config/environment.py"}


def test_only_the_derived_keys_read_the_secret_that_they_come_from() -> None:
    """Any other reader would forget SECRET_KEY_PREVIOUS."""
    reads = {path for path, node in nodes(ast.Attribute) if node.attr.startswith("secret_key")}

    assert reads == {"app/config/faults.py", "app/core/security/derived_keys.py"}


def test_only_the_clients_speak_to_the_network() -> None:
    found = {path for path, module in imports() if module in NETWORK}

    assert found
    assert all(path.startswith("app/clients/") for path in found), found


def test_every_folder_of_the_application_is_a_floor_or_a_slice() -> None:
    folders = {folder_of(path) for path in sources() if path.count("/") > 1}

    assert folders == {*ORDER, "cli"}


def test_imports_go_one_way() -> None:
    wrong = []

    for path, module in imports():
        importer, imported = folder_of(path), slice_of(module)
        if path.startswith(ASSEMBLY) or imported not in ORDER or importer == "extensions":
            continue
        if ORDER.index(imported) > ORDER.index(importer):
            wrong.append(f"{path} imports {module}")

    assert wrong == []


def test_no_modules_import_each_other() -> None:
    """Imports for type checkers and inside functions count as well."""
    modules = {module_of(path) for path in sources()}
    imported: dict[str, set[str]] = {module: set() for module in modules}
    for path, node in nodes((ast.Import, ast.ImportFrom)):  # type: ignore[arg-type]
        for alias in node.names:
            # ``from a import b`` imports the module a.b, or else a name of the module a.
            full = f"{node.module}.{alias.name}" if isinstance(node, ast.ImportFrom) else alias.name
            named = full if full in modules else getattr(node, "module", None)
            imported[module_of(path)] |= {named} & modules

    while leaves := {module for module, others in imported.items() if not others}:
        imported = {module: others - leaves for module, others in imported.items() if module not in leaves}

    # What is left is in a cycle or leads into one.
    assert sorted(imported) == []


def test_the_floors_below_the_slices_name_no_slice() -> None:
    """No table, class, permission, bucket or path of a slice stands in them as a text."""
    names, paths = names_of_slices()
    found = {
        f"{path}: {node.value}"
        for path, node in nodes(ast.Constant)
        if folder_of(path) in FLOORS and isinstance(node.value, str)
        if node.value in names or any(f"{node.value}/".startswith(f"{each}/") for each in paths)
    }

    assert found - {f"{path}: {name}" for path, allowed in NAMED.items() for name in allowed} == set()


def names_of_slices() -> tuple[set[str], set[str]]:
    models = [each.class_ for each in Model.registry.mappers if not each.class_.__module__.startswith("app.core.")]
    of_slices = [*models, *endpoints(), *subclasses(BaseSchema)]
    names = {each.__name__ for each in of_slices if folder_of(each.__module__.replace(".", "/")) in SLICES}
    names |= {model.__tablename__ for model in models} | {getattr(model, "bucket", "") for model in models}
    names |= {each.permission for each in endpoints()}
    return names - {""}, {f"/{each.path.split('/')[1]}" for each in endpoints() if issubclass(each, Crud)}


def test_no_folder_holds_more_modules_than_a_reader_can_keep_in_mind() -> None:
    modules = Counter(Path(path).parent.as_posix() for path in sources() if not path.endswith("__init__.py"))

    assert {folder: count for folder, count in modules.items() if count > MOST_MODULES} == {}


def test_migrations_do_not_import_what_will_change_after_them() -> None:
    allowed = {"app.base.clock", "app.base.clock.utcnow"}
    # Not for migrations: they run as the owner of the tables, and without the limit of a request.
    allowed |= {"app.core.db.mode", "app.core.db.mode.statement_timeout"}
    allowed |= {"app.core.db.engine", "app.core.db.engine.owner_engine"}

    assert {module for _, module in imports("migrations") if module.startswith("app")} <= allowed


def test_statements_past_the_guard_are_these() -> None:
    found: Counter[str] = Counter()

    for path, node in nodes(ast.Call):
        found[path] += any(keyword.arg == "unguarded" for keyword in node.keywords)
    for path, node in nodes(ast.Dict):
        found[path] += any(getattr(key, "value", None) == "unguarded" for key in node.keys)

    assert +found == Counter(UNGUARDED)


def test_transactions_that_see_every_company_are_these() -> None:
    found = Counter(path for path, node in nodes(ast.Call) if called(node) == "platform_session")

    assert found == Counter(PLATFORM_SESSIONS)


def test_only_the_kernel_asks_connections_and_tables_past_the_session() -> None:
    past = {"connect", "connection", "raw_connection", "exec_driver_sql", "get_bind"}
    calls = {path for path, node in nodes(ast.Call) if called(node) in past}
    tables = {path for path, node in nodes(ast.Attribute) if node.attr == "__table__"}

    outside = {path for path in calls | tables if not path.startswith(("app/core/", "app/clients/"))}
    # The dialect of the bind decides between two statements there.
    assert outside <= {"app/companies/service.py"}


def test_no_statement_is_put_together_from_text() -> None:
    writers = {path for path, module in imports() if module in ("sqlalchemy.text", "sqlalchemy.literal_column")}
    composed = [
        f"{path}:{node.lineno}"
        for path, node in nodes(ast.Call)
        if path in writers
        and called(node) in ("text", "literal_column")
        and not all(isinstance(each, ast.Constant) for each in node.args[:1])
    ]

    assert writers
    assert [each for each in composed if not each.startswith("migrations/ddl.py")] == []


def test_nothing_is_printed() -> None:
    assert [path for path, node in nodes(ast.Call) if called(node) in ("print", "pprint")] == []


def test_no_file_and_no_function_is_long() -> None:
    long = {path: lines for path in sources() if (lines := _lines_of(path)) >= LONGEST_FILE}
    functions = {
        f"{path}:{node.name}": node.end_lineno - node.lineno + 1
        for path, node in nodes((ast.FunctionDef, ast.AsyncFunctionDef))  # type: ignore[arg-type]
    }

    assert long == {}
    assert {name: lines for name, lines in functions.items() if lines > LONGEST_FUNCTION} == {}


def _lines_of(path: str) -> int:
    return len((ROOT / path).read_text(encoding="utf-8").splitlines())
