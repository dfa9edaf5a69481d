"""env.example is what the settings say, and can be used as it stands."""

import re

from dotenv import dotenv_values

from app.config.environment import load_settings
from app.config.settings import ROOT, default_of, setting_fields
from scripts.env_example import example

EXAMPLE = ROOT / "env.example"
SECRET = "a secret that is long enough for every environment"


def test_the_file_is_what_the_settings_declare() -> None:
    assert EXAMPLE.read_text(encoding="utf-8") == example(setting_fields())


def test_the_file_sets_every_setting_and_nothing_else() -> None:
    assert list(dotenv_values(EXAMPLE)) == [each.name.upper() for each in setting_fields()]


def test_the_file_with_a_secret_gives_the_defaults() -> None:
    values = {name: value or "" for name, value in dotenv_values(EXAMPLE).items()}

    settings = load_settings({**values, "JWT_SECRET": SECRET})

    assert settings == load_settings({"JWT_SECRET": SECRET})
    for each in setting_fields():
        if default_of(each):
            assert getattr(settings, each.name) == default_of(each), each.name


def test_every_setting_has_a_meaning_that_is_a_sentence() -> None:
    for each in setting_fields():
        assert each.metadata["meaning"].endswith("."), each.name


def test_the_variables_of_the_entrypoint_are_in_the_file() -> None:
    sources = [ROOT / "docker-entrypoint.sh", ROOT / "scripts" / "wait_for_database.py"]
    text = "\n".join(source.read_text(encoding="utf-8") for source in sources)

    defaults = dict(re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", text))
    defaults |= dict(re.findall(r'environ\.get\("([A-Z_]+)"\) or (\w+)', text))

    settings = {each.name.upper() for each in setting_fields()}
    documented = dict(re.findall(r"^# ([A-Z_]+)=(\S+)$", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE))
    assert documented == {name: value for name, value in defaults.items() if name not in settings}
