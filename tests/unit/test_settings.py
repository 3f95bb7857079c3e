"""Settings: what stands in the environment is taken, or refused in words."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from app.errors import ConfigError
from app.settings import Settings, bounds, load_settings

DOCUMENT = Path(__file__).parents[2] / "docs" / "settings.md"


def refusal(**environ: str) -> str:
    """The words with which this environment is refused."""
    with pytest.raises(ConfigError) as refused:
        load_settings(environ)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__
    return str(refused.value)


def test_an_empty_environment_gives_the_defaults() -> None:
    """Nothing has to be set; what is set empty counts as not set; other programs' variables do not matter."""
    assert load_settings({"PORT": "1", "RELAY_PORT": "", "RELAY_TEST_POSTGRES_URL": "x"}) == Settings()


def test_a_setting_is_its_field_in_capitals() -> None:
    """Text becomes what the field is."""
    settings = load_settings({"RELAY_PORT": "9", "RELAY_LINGER_S": "0.5", "RELAY_LOG_FORMAT": "CONSOLE"})
    assert (settings.port, settings.linger_s, settings.log_format) == (9, 0.5, "console")


def test_an_unknown_variable_is_refused_with_the_nearest_name() -> None:
    """A typing error must not leave the default silently in force."""
    assert refusal(RELAY_BODY_BYTE_MAX="5") == (
        "RELAY_BODY_BYTE_MAX is not a setting; the nearest one is RELAY_BODY_BYTES_MAX"
    )
    assert refusal(RELAY_XYZZY="5") == "RELAY_XYZZY is not a setting; see docs/settings.md"
    assert refusal(RELAY_ROLE="accept") == "RELAY_ROLE is not a setting; see docs/settings.md"


@pytest.mark.parametrize(
    "name", ["RELAY_SPOOL_URL", "RELAY_TENANTS_FILE", "RELAY_HOST", "RELAY_PORT", "RELAY_ADMIN_TOKEN"]
)
@pytest.mark.parametrize("text", ["sqlite:///a.db\r", " 1", "1 ", "a\x00b", " "])
def test_a_value_that_is_not_one_clean_line_is_refused_once_and_not_repeated(name: str, text: str) -> None:
    """With Windows line ends in a file of settings, the spool would be another file than the one that is meant."""
    words = refusal(**{name: text})
    assert words.startswith(f"{name} has white space at an end, or an unprintable character")
    assert words.isprintable()


@pytest.mark.parametrize("name", ["RELAY_PORT_8080_TCP_ADDR", "RELAY_SERVICE_HOST"])
def test_the_links_of_kubernetes_are_told_for_what_they_are(name: str) -> None:
    """A Service called relay makes Kubernetes set variables with our prefix."""
    assert "enableServiceLinks" in refusal(**{name: "10.0.0.1"})
    assert "enableServiceLinks" in refusal(RELAY_PORT="tcp://10.0.0.1:8080")


def test_every_fault_is_one_line_with_value_and_bounds() -> None:
    """All faults at once, in plain words, without a library's dump."""
    lines = refusal(RELAY_PORT="70000", RELAY_LINGER_S="nan", RELAY_LOG_LEVEL="loud", RELAY_GZIP="1").split("\n")
    assert sorted(lines) == [
        "RELAY_GZIP is not a setting; the nearest one is RELAY_GZIP_LEVEL",
        "RELAY_LINGER_S is 'nan'; it must be a number, 0 to 1",
        "RELAY_LOG_LEVEL is 'loud'; it must be debug or info or warning or error",
        "RELAY_PORT is '70000'; it must be a whole number, 0 to 65_535",
    ]


def test_settings_that_contradict_each_other_are_refused() -> None:
    """Each is within its bounds and the pair makes no sense."""
    assert "RELAY_BATCH_BYTES_MAX" in refusal(RELAY_EVENT_BYTES_MAX="600000", RELAY_BATCH_BYTES_MAX="500000")
    assert "RELAY_RETRY_MAX_S" in refusal(RELAY_RETRY_BASE_S="30", RELAY_RETRY_MAX_S="5")
    assert "claimed again" in refusal(RELAY_LEASE_S="20")


@pytest.mark.parametrize(
    "url",
    ["sqlite://", "sqlite:///", "sqlite:///:memory:", "mysql://u:hunter2@h/x", "hunter2", "sqlite:///a?b"],
)
def test_a_spool_that_no_engine_answers_to_is_refused_without_repeating_it(url: str) -> None:
    """The URL may hold a password."""
    words = refusal(RELAY_SPOOL_URL=url)
    assert words.startswith("RELAY_SPOOL_URL must be sqlite:///PATH")
    assert "hunter2" not in words


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://relay:hun/ter2@db/relay",
        "postgresql://relay:hun#ter2@db/relay",
        "postgresql://relay:hun?ter2@db/relay",
        "postgresql://relay:hunter2",
        "postgresql://relay:hunter2@db:port/relay",
        "postgresql://relay:hunter2@db/relay?pooler=hunter2",
        "postgresql://relay:hunter2@[::1/relay",
    ],
)
def test_a_postgresql_url_that_would_be_misread_is_refused_without_repeating_it(url: str) -> None:
    """A password with characters that are not percent-encoded ends up in the name of the host or the database."""
    words = refusal(RELAY_SPOOL_URL=url)
    assert words.startswith("RELAY_SPOOL_URL ")
    assert "ter2" not in words
    assert "hun" not in words


def test_the_spool_url_is_not_in_the_repr() -> None:
    """Settings may be logged."""
    for url in ("sqlite:////data/spool.db", "postgresql://relay:hunter2@db:5432,other:5433/relay?sslmode=require"):
        settings = load_settings({"RELAY_SPOOL_URL": url})
        assert settings.spool_url.get_secret_value() == url
        assert url.partition(":")[0] not in repr(settings)


def test_every_number_is_bounded_and_every_setting_has_a_sentence() -> None:
    """No knob without bounds, default and description."""
    for field, about in Settings.model_fields.items():
        assert about.description, field
        assert about.description.endswith("."), field
        assert not about.is_required(), field
        if about.annotation in {int, float}:
            assert " to " in bounds(field), field
    assert Settings.model_validate(Settings().model_dump()) == Settings()


@pytest.mark.parametrize("field", Settings.model_fields)
def test_every_setting_is_documented_as_it_is(field: str) -> None:
    """Name, default, bounds and sentence stand in docs/settings.md as one row (the assertion shows it)."""
    about = Settings.model_fields[field]
    value = about.default.get_secret_value() if isinstance(about.default, SecretStr) else about.default
    default = f"{value:_}" if isinstance(value, int | float) else str(value)
    row = f"| `RELAY_{field.upper()}` | {default and f'`{default}`'} | {bounds(field)} | {about.description} |"
    assert row in DOCUMENT.read_text(encoding="utf-8").split("\n")


def test_the_document_knows_no_setting_that_is_gone() -> None:
    """One row per setting and no more."""
    rows = [line for line in DOCUMENT.read_text(encoding="utf-8").split("\n") if line.startswith("| `RELAY_")]
    assert len(rows) == len(Settings.model_fields)
