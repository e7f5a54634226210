import os
import runpy
import subprocess
import sys
from base64 import standard_b64encode, urlsafe_b64decode
from datetime import timedelta
from pathlib import Path
from secrets import token_urlsafe

import pytest
from django.core.exceptions import ImproperlyConfigured

ROOT = Path(__file__).parents[2]
TICKET_KEYS = [token_urlsafe(32), token_urlsafe(32)]
PRODUCTION = {
    "DEBUG": "false",
    "SECRET_KEY": "k" * 32,
    "TICKET_SIGNING_KEY": TICKET_KEYS[0],
    "ALLOWED_HOSTS": "tickets.example.com",
}
NAMES = [
    *PRODUCTION,
    "DATABASE_URL",
    "DATABASE_POOLED",
    "TIME_ZONE",
    "CSRF_TRUSTED_ORIGINS",
    "CORS_ALLOWED_ORIGINS",
]


@pytest.fixture
def load(monkeypatch):
    """A function that loads the settings module with this environment."""

    def load(**environment):
        for name in NAMES:
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return runpy.run_path(str(ROOT / "movieticket" / "settings.py"))

    return load


def test_the_defaults_are_for_local_use(load):
    settings = load()
    assert settings["DEBUG"] is True
    assert settings["ALLOWED_HOSTS"] == ["localhost", "127.0.0.1", "[::1]"]
    assert settings["DATABASES"]["default"]["ENGINE"] == "movieticket.sqlite"
    assert len(settings["SECRET_KEY"]) >= 32


def test_the_local_key_is_created_once_and_private(load, tmp_path):
    local_secret_key, path = load()["local_secret_key"], tmp_path / "key"
    assert local_secret_key(path) == local_secret_key(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_local_key_of_tickets_is_created_once(load):
    assert load()["TICKET_SIGNING_KEYS"] == load()["TICKET_SIGNING_KEYS"]
    assert [len(key) for key in load()["TICKET_SIGNING_KEYS"]] == [32]


def test_keys_of_tickets_are_in_either_alphabet_of_base64(load):
    keys = [urlsafe_b64decode(f"{key}=") for key in TICKET_KEYS]
    standard = ",".join(standard_b64encode(key).decode() for key in keys)
    values = [",".join(TICKET_KEYS), standard]
    assert [load(TICKET_SIGNING_KEY=value)["TICKET_SIGNING_KEYS"] for value in values] == [keys] * 2


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY must be set to 32 bytes or more of random text when DEBUG is off."),
        ({"SECRET_KEY": "k" * 31}, "SECRET_KEY must be set to 32 bytes or more of random text when DEBUG is off."),
        ({"TICKET_SIGNING_KEY": ""}, "TICKET_SIGNING_KEY must be set to 32 random bytes in base64 when DEBUG is off."),
        ({"ALLOWED_HOSTS": ""}, "ALLOWED_HOSTS must list the service's host names when DEBUG is off."),
        ({"ALLOWED_HOSTS": " , "}, "ALLOWED_HOSTS must list the service's host names when DEBUG is off."),
    ],
)
def test_production_does_not_start_with_missing_settings(load, environment, message):
    with pytest.raises(ImproperlyConfigured) as error:
        load(**(PRODUCTION | environment))
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEBUG", "maybe"),
        ("DATABASE_URL", "mysql://localhost/tickets"),
        ("DATABASE_URL", "nonsense"),
        ("DATABASE_URL", "postgres://user:secret@localhost:port/tickets"),
        ("DATABASE_URL", "postgres://localhost"),
        ("DATABASE_URL", "sqlite://:memory:"),
        ("LOG_FORMAT", "xml"),
        ("SECRET_KEY", "\udcff" * 40),
        ("METRICS_TOKEN", "\udcff"),
        ("TRUSTED_PROXIES", "proxy.example"),
        ("TRUSTED_PROXIES", "10.0.0.0/33"),
        ("TRUSTED_PROXIES", "10.0.0.1, *"),
        ("DATABASE_POOLED", "maybe"),
        ("DATABASE_SECONDS", "0"),
        ("REQUEST_SECONDS", "0"),
        ("ACCESS_TOKEN_MINUTES", "10000000000"),
        ("PROXY_SSL_HEADER", "X Foo"),
        ("SCRIPT_NAME", "cinema"),
        ("SCRIPT_NAME", "/tickets/"),
        ("SCRIPT_NAME", "//example.com"),
        ("TIME_ZONE", "Mars/Olympus"),
        ("CURRENCY", "XYZ"),
        ("CURRENCY", "CLF"),
        ("TIME_ZONE", "../etc/passwd"),
        ("CSRF_TRUSTED_ORIGINS", "tickets.example.com"),
        ("CORS_ALLOWED_ORIGINS", "*"),
        ("ACCESS_TOKEN_MINUTES", "0"),
        ("REFRESH_TOKEN_DAYS", "week"),
        ("MAX_SEATS_PER_USER", "-1"),
        ("LIMIT_BOOKING", "60"),
        ("LIMIT_TOKEN", "ten/minute"),
        ("LIMIT_SIGNUP", "10/fortnight"),
        ("LIMIT_REFRESH", "0/day"),
        ("SECURE_HSTS_SECONDS", "1.5"),
        ("JWT_SIGNING_KEY", "k" * 31),
        ("JWT_VERIFYING_KEYS", f"{'k' * 32},{'v' * 31}"),
        ("TICKET_SIGNING_KEY", "k" * 42),
        ("TICKET_SIGNING_KEY", "k" * 45),
        ("TICKET_SIGNING_KEY", "k" * 42 + "!"),
        ("TICKET_SIGNING_KEY", f"{'k' * 43},{'k' * 42}"),
        ("PASSWORD_RESET_MINUTES", "0"),
        ("PASSWORD_RESET_URL", "https://app.example/reset/{uid}"),
        ("PASSWORD_RESET_URL", "app.example/{uid}/{token}"),
        ("LIMIT_PASSWORD_RESET", "10"),
        ("EMAIL_URL", "mail.example"),
        ("EMAIL_URL", "smtp://"),
        ("EMAIL_URL", "smtp+tls://user:secret@mail.example:port"),
        ("EMAIL_URL", "filemail:///tmp/mail"),
        ("DEFAULT_FROM_EMAIL", "tickets"),
        ("STRIPE_SECRET_KEY", "pk_test_public"),
        ("STRIPE_SECRET_KEY", "sk_test_é"),
        ("STRIPE_WEBHOOK_SECRET", "whsec_a b"),
        ("STRIPE_WEBHOOK_SECRET", "sk_test_secret"),
        ("STRIPE_API_BASE", "stripe.example"),
    ],
)
def test_the_error_for_an_invalid_value_has_the_name_but_not_the_value(load, name, value):
    with pytest.raises(ImproperlyConfigured, match=f"^{name} must be ") as error:
        load(**{name: value})
    assert value == "0" or value not in str(error.value)


def test_a_value_with_a_dollar_sign_is_not_expanded(load):
    assert load(**(PRODUCTION | {"SECRET_KEY": "$" * 32}))["SECRET_KEY"] == "$" * 32


@pytest.mark.parametrize(("pool", "seconds"), [("true", 0), ("1", 0), ("false", 60)])
def test_a_pool_disables_persistent_connections(load, pool, seconds):
    database = load(DATABASE_URL=f"postgres://user@db.example/tickets?pool={pool}")["DATABASES"]["default"]
    assert (database["OPTIONS"]["pool"], database["CONN_MAX_AGE"]) == (pool != "false", seconds)


def test_the_setting_of_the_pool_is_a_boolean(load):
    with pytest.raises(ImproperlyConfigured, match=r"^DATABASE_URL must be"):
        load(DATABASE_URL="postgres://user@db.example/tickets?pool=large")


@pytest.mark.parametrize(
    ("value", "pooled", "threshold", "no_cursors"),
    [(None, None, 2, False), ("true", True, None, True), ("false", False, 2, False)],
)
def test_a_pool_is_declared_or_found_by_each_connection(load, value, pooled, threshold, no_cursors):
    declared = {} if value is None else {"DATABASE_POOLED": value}
    database = load(DATABASE_URL="postgres://user@db.example/tickets", **declared)["DATABASES"]["default"]
    assert database["POOLED"] is pooled
    assert database["OPTIONS"]["prepare_threshold"] == threshold
    assert database["DISABLE_SERVER_SIDE_CURSORS"] is no_cursors


def test_options_of_the_address_override_the_defaults(load):
    address = "postgres://user@db.example/tickets?connect_timeout=7"
    options = load(DATABASE_URL=address)["DATABASES"]["default"]["OPTIONS"]
    assert (options["connect_timeout"], options["keepalives_idle"]) == (7, 5)


def test_an_empty_value_is_the_default(load):
    assert load(MAX_SEATS_PER_USER="", TIME_ZONE=" ")["MAX_SEATS_PER_USER"] == 10


def test_values_are_taken_from_the_environment(load):
    settings = load(
        ACCESS_TOKEN_MINUTES="3",
        TIME_ZONE="Europe/Vienna",
        LIMIT_BOOKING="7/second",
        CORS_ALLOWED_ORIGINS="https://a.example, https://b.example",
        SECURE_HSTS_SECONDS="0",
        TRUSTED_PROXIES="10.0.0.1/8, ::1, unix",
        DATABASE_URL="postgres://user:p%40ss@db.example:5433/tickets",
    )
    assert settings["SIMPLE_JWT"]["ACCESS_TOKEN_LIFETIME"] == timedelta(minutes=3)
    assert settings["TIME_ZONE"] == "Europe/Vienna"
    assert settings["LIMITS"]["booking"] == (7, 1)
    assert [str(proxy) for proxy in settings["TRUSTED_PROXIES"]] == ["10.0.0.0/8", "::1/128", "unix"]
    assert settings["CORS_ALLOWED_ORIGINS"] == ["https://a.example", "https://b.example"]
    assert settings["DATABASES"]["default"]["PASSWORD"] == "p@ss"


@pytest.mark.parametrize(
    ("address", "port", "tls", "ssl"),
    [
        ("smtp://mail.example", 25, False, False),
        ("smtp+tls://mail.example", 587, True, False),
        ("smtp+ssl://mail.example", 465, False, True),
        ("smtp+tls://mail.example:2525", 2525, True, False),
    ],
)
def test_mail_is_sent_by_the_configured_server(load, address, port, tls, ssl):
    settings = load(EMAIL_URL=address.replace("//", "//user:p%40ss@"))
    assert settings["EMAIL_BACKEND"] == "django.core.mail.backends.smtp.EmailBackend"
    assert [settings[f"EMAIL_{name}"] for name in ("HOST", "PORT", "HOST_USER", "HOST_PASSWORD")] == [
        "mail.example",
        port,
        "user",
        "p@ss",
    ]
    assert (settings.get("EMAIL_USE_TLS", False), settings.get("EMAIL_USE_SSL", False)) == (tls, ssl)


@pytest.mark.parametrize(("environment", "name"), [({}, "console"), (PRODUCTION, "dummy")])
def test_without_a_server_mail_is_printed_locally_and_not_sent_in_production(load, environment, name):
    assert load(**environment)["EMAIL_BACKEND"] == f"django.core.mail.backends.{name}.EmailBackend"


def test_the_page_for_new_passwords_can_be_configured(load):
    page = "https://app.example/#/reset/{uid}/{token}"
    assert load(PASSWORD_RESET_URL=page)["PASSWORD_RESET_URL"] == page


def test_a_sender_may_have_a_name(load):
    settings = load(DEFAULT_FROM_EMAIL="Cinema <tickets@example.com>")
    assert settings["DEFAULT_FROM_EMAIL"] == "Cinema <tickets@example.com>"


STRIPE = {"STRIPE_SECRET_KEY": "sk_test_1", "STRIPE_WEBHOOK_SECRET": "whsec_1"}


@pytest.mark.parametrize(("environment", "providers"), [({}, ["counter"]), (STRIPE, ["counter", "stripe"])])
def test_the_keys_of_stripe_enable_it(load, environment, providers):
    assert list(load(**PRODUCTION, **environment)["PAYMENT_PROVIDERS"]) == providers


@pytest.mark.parametrize("name", STRIPE)
def test_a_single_key_of_stripe_stops_the_start(load, name):
    with pytest.raises(ImproperlyConfigured) as error:
        load(**{name: STRIPE[name]})
    assert str(error.value) == "STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET must be set together."


def test_keys_of_stripe_without_its_package_stop_the_start(load, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ImproperlyConfigured, match=r"not installed: pip install -r requirements-stripe\.txt$"):
        load(**STRIPE)


def test_keys_of_tokens_are_separate_from_the_secret_key(load):
    settings = load(**PRODUCTION, JWT_SIGNING_KEY="s" * 32, JWT_VERIFYING_KEYS=f"{'a' * 32}, {'b' * 32}")
    assert (settings["JWT_SIGNING_KEY"], settings["JWT_VERIFYING_KEYS"]) == ("s" * 32, ["a" * 32, "b" * 32])


def test_production_has_secure_settings(load):
    settings = load(**PRODUCTION, PROXY_SSL_HEADER="X-Forwarded-Proto")
    assert settings["SESSION_COOKIE_SECURE"]
    assert settings["CSRF_COOKIE_SECURE"]
    assert settings["SECURE_PROXY_SSL_HEADER"] == ("HTTP_X_FORWARDED_PROTO", "https")
    assert "whitenoise.middleware.WhiteNoiseMiddleware" in settings["MIDDLEWARE"]


@pytest.mark.parametrize(("environment", "count"), [({}, 4), (PRODUCTION, 5)])
def test_common_passwords_are_refused_only_in_production(load, environment, count):
    assert len(load(**environment)["AUTH_PASSWORD_VALIDATORS"]) == count


def run(*command, **environment):
    environment = {name: value for name, value in os.environ.items() if name not in NAMES} | environment
    return subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.mark.server
@pytest.mark.parametrize("command", [("manage.py", "check"), ("-c", "import movieticket.wsgi")])
def test_an_invalid_setting_causes_a_message_and_no_traceback(command):
    result = run(*command, TIME_ZONE="Mars/Olympus")
    assert result.returncode == 1
    assert result.stderr == ("Configuration error: TIME_ZONE must be the name of a time zone such as Europe/London.\n")


@pytest.mark.server
def test_a_missing_database_server_causes_a_message_and_no_traceback():
    result = run("manage.py", "migrate", DATABASE_URL="postgres://nobody@127.0.0.1:1/nowhere")
    assert result.returncode == 1
    assert result.stderr.startswith("The database is not available: ")
    assert "Traceback" not in result.stderr
