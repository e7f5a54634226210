"""Settings of the service, each of them from the environment.

With nothing set it is a local installation: DEBUG on, SQLite, a generated key, loopback only.
The README's table lists every variable. A value that can't be used stops the start with a
sentence that names its variable.
"""

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import environ
from corsheaders.defaults import default_headers
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
T = TypeVar("T")
# More of anything counted here makes no sense, and lifetimes in days stay within the calendar.
MAX_NUMBER = 1_000_000


def setting(name: str, read: Callable[[str], T], default: T, wanted: str) -> T:
    """The value of the variable `name`, or `default` where it is unset or empty.

    Raises ImproperlyConfigured with the variable's name where `read` can't make sense of it. The
    value itself is not repeated: it may hold a password.
    """
    raw = os.environ.get(name, "").strip()
    if not raw:
        return default
    try:
        return read(raw)
    except (ValueError, LookupError, OSError, ImproperlyConfigured) as error:
        raise ImproperlyConfigured(f"{name} must be {wanted}.") from error


def read_boolean(raw: str) -> bool:
    return {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}[
        raw.lower()
    ]


def read_list(raw: str) -> list[str]:
    return [item.strip() for item in raw.split(",") if item.strip()]


def read_origins(raw: str) -> list[str]:
    origins = read_list(raw)
    if not all(origin.startswith(("http://", "https://")) for origin in origins):
        raise ValueError(raw)
    return origins


def read_positive(raw: str) -> int:
    number = int(raw)
    if not 1 <= number <= MAX_NUMBER:
        raise ValueError(raw)
    return number


def read_count(raw: str) -> int:
    if not raw.isdecimal() or len(raw) > 9:
        raise ValueError(raw)
    return int(raw)


def read_header(raw: str) -> str:
    if not raw.replace("-", "").isalnum():
        raise ValueError(raw)
    return f"HTTP_{raw.upper().replace('-', '_')}"


def read_rate(raw: str) -> str:
    count, _, period = raw.partition("/")
    if period not in {"second", "minute", "hour", "day"}:
        raise ValueError(raw)
    return f"{read_positive(count)}/{period}"


def read_database(raw: str) -> dict[str, Any]:
    if not raw.startswith(("sqlite://", "postgres://", "postgresql://")):
        raise ValueError("neither SQLite nor PostgreSQL")
    config: dict[str, Any] = env.db_url_config(raw)
    if config["NAME"] in ("", ":memory:"):
        raise ValueError("no database named")
    return config


def read_replica(raw: str) -> dict[str, Any]:
    if raw.startswith("sqlite://"):
        raise ValueError("SQLite has no replicas")
    return read_database(raw)


def read_time_zone(raw: str) -> str:
    return ZoneInfo(raw).key


def boolean(name: str, default: bool) -> bool:
    return setting(name, read_boolean, default, "true or false")


def positive(name: str, default: int) -> int:
    return setting(name, read_positive, default, f"a whole number from 1 to {MAX_NUMBER}")


def origins(name: str) -> list[str]:
    return setting(name, read_origins, [], "a comma-separated list of origins such as https://example.com")


def rate(name: str, default: str) -> str:
    return setting(name, read_rate, default, "a rate such as 20/hour (second, minute, hour or day)")


def postgresql(config: dict[str, Any], connect_timeout: int = 3) -> dict[str, Any]:
    """A PostgreSQL database as Django is to know it, from what its address says."""
    options: dict[str, Any] = {
        "connect_timeout": connect_timeout,
        # A peer that vanished without a word is found within some 10 seconds, idle or not.
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,
        # After so many times a statement of booking/prepared.py is prepared in the server. Behind a pool that deals
        # out connections by the transaction never: the next one may be another, which doesn't know the statement.
        "prepare_threshold": None if DATABASE_POOLED else 2,
    }
    options |= config.get("OPTIONS", {})
    return config | {
        "ENGINE": "movieticket.postgresql",
        "OPTIONS": options,
        "CONN_HEALTH_CHECKS": True,
        # A pool of ours, where the address asks for one, keeps the connections itself.
        "CONN_MAX_AGE": 0 if "pool" in options else 60,
        # A cursor in the server would outlive its transaction, and so its connection.
        "DISABLE_SERVER_SIDE_CURSORS": DATABASE_POOLED,
    }


def local_secret_key(path: Path) -> str:
    """A key made once for this checkout and kept in a file that git ignores."""
    if not path.exists():
        new = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        new.touch(mode=0o600)
        new.write_text(secrets.token_urlsafe(50))
        # Whole or not at all, and the first of several processes wins.
        with suppress(FileExistsError):
            path.hardlink_to(new)
        new.unlink()
    return path.read_text()


# --- Security ---------------------------------------------------------------------------------

DEBUG = boolean("DEBUG", True)
SECRET_KEY = setting("SECRET_KEY", str, "", "text") or (local_secret_key(BASE_DIR / ".secret_key") if DEBUG else "")
if len(SECRET_KEY.encode()) < 32:
    when = "" if DEBUG else " when DEBUG is off"
    raise ImproperlyConfigured(f"SECRET_KEY must be set to 32 bytes or more of random text{when}.")
ALLOWED_HOSTS = setting(
    "ALLOWED_HOSTS", read_list, ["localhost", "127.0.0.1", "[::1]"] if DEBUG else [], "a comma-separated list of hosts"
)
if not ALLOWED_HOSTS:
    raise ImproperlyConfigured("ALLOWED_HOSTS must list the service's host names when DEBUG is off.")
CSRF_TRUSTED_ORIGINS = origins("CSRF_TRUSTED_ORIGINS")
CORS_ALLOWED_ORIGINS = origins("CORS_ALLOWED_ORIGINS")
CORS_ALLOW_HEADERS = [*default_headers, "idempotency-key", "if-none-match"]
CORS_EXPOSE_HEADERS = ["ETag", "Idempotency-Replayed", "Location", "Retry-After"]
CORS_URLS_REGEX = r"^/api/"

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEBUG
SECURE_SSL_REDIRECT = boolean("SECURE_SSL_REDIRECT", False)
SECURE_HSTS_SECONDS = setting("SECURE_HSTS_SECONDS", read_count, 0, "a whole number of seconds")
SECURE_HSTS_INCLUDE_SUBDOMAINS = boolean("SECURE_HSTS_INCLUDE_SUBDOMAINS", False)
SECURE_HSTS_PRELOAD = boolean("SECURE_HSTS_PRELOAD", False)
# The header by which a proxy says that the client's side was https; only safe if the proxy sets it always.
_proxy_header = setting("PROXY_SSL_HEADER", read_header, "", "a header's name such as X-Forwarded-Proto")
SECURE_PROXY_SSL_HEADER = (_proxy_header, "https") if _proxy_header else None
X_FRAME_OPTIONS = "DENY"

# --- Application ------------------------------------------------------------------------------

INSTALLED_APPS = [
    "booking",  # before drf_yasg, one of whose templates it extends
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "corsheaders",
    "django_filters",
    "drf_yasg",
    "rest_framework",
    "rest_framework_simplejwt.token_blacklist",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    # Locally runserver finds static files by itself, uncollected.
    *([] if DEBUG else ["whitenoise.middleware.WhiteNoiseMiddleware"]),
    "movieticket.deadline.DeadlineMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "movieticket.urls"
WSGI_APPLICATION = "movieticket.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Database ---------------------------------------------------------------------------------

# Whether DATABASE_URL names a pool such as PgBouncer's in transaction mode.
DATABASE_POOLED = boolean("DATABASE_POOLED", False)
_database: dict[str, Any] = setting(
    "DATABASE_URL",
    read_database,
    {"ENGINE": "django.db.backends.sqlite3", "NAME": str(BASE_DIR / "db.sqlite3")},
    "an address such as postgres://user:password@host:5432/name or sqlite:////path/to/file",
)
if _database["ENGINE"] == "django.db.backends.sqlite3":
    _database |= {
        "ENGINE": "movieticket.sqlite",
        "OPTIONS": {
            "timeout": 20,
            # A transaction that starts reading and then writes can't wait for its turn; start as a writer.
            "transaction_mode": "IMMEDIATE",
            # Readers go on while a booking is written; FULL keeps an acknowledged one through a power cut.
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        },
        # Not in memory: threads of a test need connections of their own.
        "TEST": {"NAME": str(BASE_DIR / "test_db.sqlite3")},
    }
else:
    _database = postgresql(_database)
DATABASES = {"default": _database}
# How long a request over the API may wait for the database, all in all; what staff do takes longer.
DATABASE_SECONDS = positive("DATABASE_SECONDS", 10)
STAFF_DATABASE_SECONDS = 6 * DATABASE_SECONDS

_replica: dict[str, Any] = setting(
    "REPLICA_URL", read_replica, {}, "an address such as postgres://user:password@host:5432/name"
)
if _replica:
    if _database["ENGINE"] != "movieticket.postgresql":
        raise ImproperlyConfigured("REPLICA_URL must be unset where DATABASE_URL names no PostgreSQL database.")
    # Without it there is still the primary, so it is not waited for.
    DATABASES["replica"] = postgresql(_replica, connect_timeout=1) | {"TEST": {"MIRROR": "default"}}
DATABASE_ROUTERS = ["movieticket.replica.CatalogueRouter"]

CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    # Each worker's own; the database says whether an entry still holds.
    "kept": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "LOCATION": "kept",
        "TIMEOUT": None,
        "OPTIONS": {"MAX_ENTRIES": 500},
    },
}

# --- Time and language ------------------------------------------------------------------------

LANGUAGE_CODE = "en-gb"
USE_I18N = True
USE_TZ = True
TIME_ZONE = setting("TIME_ZONE", read_time_zone, "UTC", "the name of a time zone such as Europe/London")

# --- Accounts ---------------------------------------------------------------------------------

AUTH_USER_MODEL = "booking.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "NumericPasswordValidator",
        # Locally off, so that a walk-through may use a password that people can remember.
        *([] if DEBUG else ["CommonPasswordValidator"]),
    )
]
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=positive("ACCESS_TOKEN_MINUTES", 15)),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=positive("REFRESH_TOKEN_DAYS", 7)),
    "ROTATE_REFRESH_TOKENS": True,
    "BLACKLIST_AFTER_ROTATION": True,
    "CHECK_REVOKE_TOKEN": True,
    "TOKEN_OBTAIN_SERIALIZER": "booking.serializers.TokenSerializer",
    "TOKEN_REFRESH_SERIALIZER": "booking.serializers.RefreshSerializer",
    "TOKEN_BLACKLIST_SERIALIZER": "booking.serializers.LogoutSerializer",
}

# --- API --------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["booking.authentication.JWTAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["booking.parsers.BoundedJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "booking.negotiation.JSONAlways",
    "DEFAULT_PAGINATION_CLASS": "booking.pagination.Pagination",
    "EXCEPTION_HANDLER": "booking.exception_handler.exception_handler",
    "DEFAULT_THROTTLE_RATES": {
        "signup": rate("LIMIT_SIGNUP", "20/hour"),
        "token": rate("LIMIT_TOKEN", "10/minute"),
        "refresh": rate("LIMIT_REFRESH", "60/minute"),
        "password": rate("LIMIT_TOKEN", "10/minute"),
        "booking": rate("LIMIT_BOOKING", "60/minute"),
    },
    # How many proxies of ours add the address they were asked from to X-Forwarded-For; none is believed beyond.
    "NUM_PROXIES": setting("NUM_PROXIES", read_count, 0, "a whole number"),
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
MAX_SEATS_PER_USER = positive("MAX_SEATS_PER_USER", 10)
HOLD_MINUTES = positive("HOLD_MINUTES", 10)
# However often a customer holds a seat again.
MAX_HOLD_MINUTES = positive("MAX_HOLD_MINUTES", 30)
# How many of a worker's requests may wait for a locked show at once; fewer than it has threads.
LOCK_QUEUE = positive("LOCK_QUEUE", 1)
MAX_BODY_BYTES = 1_000_000

SWAGGER_USE_COMPAT_RENDERERS = False
SWAGGER_SETTINGS = {
    "DEFAULT_AUTO_SCHEMA_CLASS": "booking.openapi.AutoSchema",
    "DEFAULT_GENERATOR_CLASS": "booking.openapi.SchemaGenerator",
    "DEFAULT_INFO": "booking.openapi.INFO",
    "SECURITY_DEFINITIONS": {
        "Bearer": {
            "type": "apiKey",
            "name": "Authorization",
            "in": "header",
            "description": "The word Bearer, a space, and the access token of POST /api/token/. "
            "Pasted here, the token alone will do.",
        }
    },
    "USE_SESSION_AUTH": False,
    "VALIDATOR_URL": None,
    "DOC_EXPANSION": "list",
    "OPERATIONS_SORTER": None,
    "TAGS_SORTER": None,
    "DEFAULT_MODEL_RENDERING": "example",
    "SHOW_EXTENSIONS": False,
    # booking/static/booking/swagger.js keeps the sign-in.
    "PERSIST_AUTH": False,
}

# --- Log --------------------------------------------------------------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}, "null": {"class": "logging.NullHandler"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        "django": {"handlers": ["console"], "level": "INFO", "propagate": False},
        # What a client did wrong is told to the client; the log keeps what is ours to mend.
        "django.request": {"level": "ERROR"},
        "django.security.DisallowedHost": {"handlers": ["null"], "propagate": False},
    },
}
