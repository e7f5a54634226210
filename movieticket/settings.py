"""Settings of the service, each of them from the environment.

With nothing set it is a local installation: DEBUG on, SQLite, a generated key, loopback only.
The README's table lists every variable. A value that can't be used stops the start with a
sentence that names its variable.
"""

import secrets
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from corsheaders.defaults import default_headers
from django.core.exceptions import ImproperlyConfigured

from booking.addresses import Network
from movieticket.environment import (
    KEY_WANTED,
    MIN_KEY_BYTES,
    boolean,
    origins,
    positive,
    postgresql,
    rate,
    read_boolean,
    read_count,
    read_database,
    read_email_server,
    read_header,
    read_key,
    read_keys,
    read_list,
    read_log_format,
    read_proxies,
    read_reset_url,
    read_sender,
    read_text,
    read_time_zone,
    setting,
)

BASE_DIR = Path(__file__).resolve().parent.parent


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
SECRET_KEY = setting("SECRET_KEY", read_text, "", "text") or (
    local_secret_key(BASE_DIR / ".secret_key") if DEBUG else ""
)
if len(SECRET_KEY.encode()) < MIN_KEY_BYTES:
    when = "" if DEBUG else " when DEBUG is off"
    raise ImproperlyConfigured(f"SECRET_KEY must be set to {KEY_WANTED}{when}.")
ALLOWED_HOSTS = setting(
    "ALLOWED_HOSTS", read_list, ["localhost", "127.0.0.1", "[::1]"] if DEBUG else [], "a comma-separated list of hosts"
)
if not ALLOWED_HOSTS:
    raise ImproperlyConfigured("ALLOWED_HOSTS must list the service's host names when DEBUG is off.")
CSRF_TRUSTED_ORIGINS = origins("CSRF_TRUSTED_ORIGINS")
CORS_ALLOWED_ORIGINS = origins("CORS_ALLOWED_ORIGINS")
CORS_ALLOW_HEADERS = [*default_headers, "idempotency-key", "if-none-match", "x-request-id"]
CORS_EXPOSE_HEADERS = ["ETag", "Idempotency-Replayed", "Location", "Retry-After", "X-Request-ID"]
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
    "booking.middleware.SecurityHeaders",
    "movieticket.probes.ProbeMiddleware",
    "movieticket.requests.RequestMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    # Locally runserver finds static files by itself, uncollected.
    *([] if DEBUG else ["whitenoise.middleware.WhiteNoiseMiddleware"]),
    "movieticket.deadline.DeadlineMiddleware",
    "booking.middleware.CorsMiddleware",
    # A page of another origin may read what it says; nothing that reads a body comes before it.
    "booking.middleware.RequestBounds",
    "booking.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "booking.middleware.AuthenticationMiddleware",
    "booking.middleware.MessageMiddleware",
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

# Whether DATABASE_URL names a pool such as PgBouncer's in transaction mode; unset, each connection finds out.
DATABASE_POOLED: bool | None = setting("DATABASE_POOLED", read_boolean, None, "true or false")
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
    _database = postgresql(_database, pooled=DATABASE_POOLED)
DATABASES = {"default": _database}
# On PostgreSQL a migration waits no longer than that for a table, as all who come after it wait too; one that broke
# off is started again, and goes on.
ZERO_DOWNTIME_MIGRATIONS_LOCK_TIMEOUT = "2s"
ZERO_DOWNTIME_MIGRATIONS_STATEMENT_TIMEOUT = "10s"
ZERO_DOWNTIME_MIGRATIONS_FLEXIBLE_STATEMENT_TIMEOUT = True
ZERO_DOWNTIME_MIGRATIONS_IDEMPOTENT_SQL = True
# How long a request may wait for the database in all; reports and the import of movies may wait longer.
DATABASE_SECONDS = positive("DATABASE_SECONDS", 10)
STAFF_DATABASE_SECONDS = 6 * DATABASE_SECONDS

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
    {"NAME": "booking.passwords.MaximumLengthValidator"},
    *(
        {"NAME": f"django.contrib.auth.password_validation.{name}"}
        for name in (
            "UserAttributeSimilarityValidator",
            "MinimumLengthValidator",
            "NumericPasswordValidator",
            # Locally off, so that a walk-through may use a password that people can remember.
            *([] if DEBUG else ["CommonPasswordValidator"]),
        )
    ),
]
PASSWORD_HASHERS = [
    "booking.hashers.Argon2Hasher",
    # What earlier versions used; such a hash is replaced at its user's next sign-in.
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
JWT_SIGNING_KEY = setting("JWT_SIGNING_KEY", read_key, SECRET_KEY, KEY_WANTED)
JWT_VERIFYING_KEYS: list[str] = setting(
    "JWT_VERIFYING_KEYS", read_keys, [], f"a comma-separated list of keys, each {KEY_WANTED}"
)
REFRESH_TOKEN_LIFETIME = timedelta(days=positive("REFRESH_TOKEN_DAYS", 7))
SIMPLE_JWT = {
    "SIGNING_KEY": JWT_SIGNING_KEY,
    "AUTH_TOKEN_CLASSES": ["booking.tokens.AccessToken"],
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=positive("ACCESS_TOKEN_MINUTES", 15)),
    "REFRESH_TOKEN_LIFETIME": REFRESH_TOKEN_LIFETIME,
    "ROTATE_REFRESH_TOKENS": True,
    "BLACKLIST_AFTER_ROTATION": True,
    "TOKEN_OBTAIN_SERIALIZER": "booking.serializers.TokenSerializer",
    "TOKEN_REFRESH_SERIALIZER": "booking.serializers.RefreshSerializer",
    "TOKEN_BLACKLIST_SERIALIZER": "booking.serializers.LogoutSerializer",
}

# --- Limits -----------------------------------------------------------------------------------

LIMITS = {
    "signup": rate("LIMIT_SIGNUP", "20/hour"),
    "token": rate("LIMIT_TOKEN", "10/minute"),
    "token_name": rate("LIMIT_TOKEN_NAME", "100/hour"),
    "token_address": rate("LIMIT_TOKEN_ADDRESS", "100/minute"),
    "admin": rate("LIMIT_ADMIN", "10/minute"),
    "admin_address": rate("LIMIT_ADMIN_ADDRESS", "30/minute"),
    "refresh": rate("LIMIT_REFRESH", "60/minute"),
    "password": rate("LIMIT_PASSWORD", "10/minute"),
    "password_reset": rate("LIMIT_PASSWORD_RESET", "5/hour"),
    "password_reset_address": rate("LIMIT_PASSWORD_RESET_ADDRESS", "20/hour"),
    "password_reset_confirm": rate("LIMIT_PASSWORD_RESET_ADDRESS", "20/hour"),
    "booking": rate("LIMIT_BOOKING", "60/minute"),
}
# Whose X-Forwarded-For is believed.
TRUSTED_PROXIES: list[Network | str] = setting(
    "TRUSTED_PROXIES", read_proxies, [], "a comma-separated list of addresses, networks such as 10.0.0.0/8, and unix"
)
# More than that is no request to this service. What a form of the admin sends counts as a body, too.
MAX_BODY_BYTES = DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000
MAX_UPLOAD_BYTES = 10_000_000
MAX_URL_BYTES = 8_000
MAX_HEADER_BYTES = 16_000
MAX_JSON_DEPTH = 20
PASSWORD_RESET_TIMEOUT = 60 * positive("PASSWORD_RESET_MINUTES", 60)
PASSWORD_RESET_URL = setting(
    "PASSWORD_RESET_URL", read_reset_url, "", "an address such as https://example.com/reset?uid={uid}&token={token}"
)

# --- E-mail -----------------------------------------------------------------------------------

# EMAIL_BACKEND, EMAIL_HOST and so on; without an address it goes to the console, in production nowhere.
vars().update(
    setting(
        "EMAIL_URL",
        read_email_server,
        {"EMAIL_BACKEND": f"django.core.mail.backends.{'console' if DEBUG else 'dummy'}.EmailBackend"},
        "an address such as smtp+tls://user:password@host:587",
    )
)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = setting("DEFAULT_FROM_EMAIL", read_sender, "tickets@localhost", "an e-mail address")

# --- API --------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["booking.authentication.JWTAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["booking.parsers.BoundedJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["booking.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "booking.negotiation.JSONAlways",
    "DEFAULT_PAGINATION_CLASS": "booking.pagination.Pagination",
    "EXCEPTION_HANDLER": "booking.exception_handler.exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
MAX_SEATS_PER_USER = positive("MAX_SEATS_PER_USER", 10)
HOLD_MINUTES = positive("HOLD_MINUTES", 10)
# However often a customer holds a seat again.
MAX_HOLD_MINUTES = positive("MAX_HOLD_MINUTES", 30)
# How long the answer to a request with an Idempotency-Key is stored.
IDEMPOTENCY_HOURS = positive("IDEMPOTENCY_HOURS", 24)

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

# Locally runserver tells of each request itself.
LOG_FORMAT = setting("LOG_FORMAT", read_log_format, "text" if DEBUG else "json", "json or text")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "request_id": {"()": "movieticket.requests.RequestIdFilter"},
        "route": {"()": "movieticket.requests.RouteFilter"},
    },
    "formatters": {
        "text": {"format": "{levelname} {message}", "style": "{"},
        "json": {
            "()": "pythonjsonlogger.orjson.OrjsonFormatter",
            "format": "{levelname}{name}{message}{request_id}",
            "style": "{",
            "rename_fields": {"levelname": "level", "name": "logger"},
            "timestamp": "time",
        },
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["request_id", "route"]},
        "stdout": {
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stdout",
            "formatter": "json",
            "filters": ["request_id"],
        },
        "null": {"class": "logging.NullHandler"},
    },
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        "django": {"handlers": ["console"], "level": "INFO", "propagate": False},
        # What a client did wrong is told to the client; the log keeps what is ours to mend.
        "django.request": {"level": "ERROR"},
        "django.security.DisallowedHost": {"handlers": ["null"], "propagate": False},
        "movieticket.requests": {
            "handlers": ["stdout"],
            "level": "INFO" if LOG_FORMAT == "json" else "WARNING",
            "propagate": False,
        },
    },
}
# For who asks for /metrics; without one there is no such page, but locally.
METRICS_TOKEN = setting("METRICS_TOKEN", read_text, "", "text")
