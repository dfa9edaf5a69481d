"""env.example is what the settings say, and can be used as it stands."""

import re
from dataclasses import fields

from dotenv import dotenv_values

from app.config.environment import load_settings
from app.config.settings import ROOT, Settings
from scripts.env_example import example

EXAMPLE = ROOT / "env.example"
SECRET = "a secret that is long enough for every environment"


def test_the_file_is_what_the_settings_declare() -> None:
    assert EXAMPLE.read_text(encoding="utf-8") == example(fields(Settings))


def test_the_file_sets_every_setting_and_nothing_else() -> None:
    assert list(dotenv_values(EXAMPLE)) == [each.name.upper() for each in fields(Settings)]


def test_the_file_with_a_secret_gives_the_defaults() -> None:
    values = {name: value or "" for name, value in dotenv_values(EXAMPLE).items()}

    settings = load_settings({**values, "JWT_SECRET": SECRET})

    assert settings == load_settings({"JWT_SECRET": SECRET})
    for each in fields(Settings):
        if each.default:
            assert getattr(settings, each.name) == each.default, each.name


def test_every_setting_has_a_meaning_that_is_a_sentence() -> None:
    for each in fields(Settings):
        assert each.metadata["meaning"].endswith("."), each.name


def test_the_variables_of_the_entrypoint_are_in_the_file() -> None:
    sources = [ROOT / "docker-entrypoint.sh", ROOT / "scripts" / "wait_for_database.py"]
    text = "\n".join(source.read_text(encoding="utf-8") for source in sources)

    defaults = dict(re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", text))
    defaults |= dict(re.findall(r'environ\.get\("([A-Z_]+)"\) or (\w+)', text))

    settings = {each.name.upper() for each in fields(Settings)}
    documented = dict(re.findall(r"^# ([A-Z_]+)=(\S+)$", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE))
    assert documented == {name: value for name, value in defaults.items() if name not in settings}
