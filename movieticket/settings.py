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
from psycopg import IsolationLevel

from movieticket import environment as cast

env = cast.Env()
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

DEBUG = env.bool("DEBUG", True)
SECRET_KEY = env("SECRET_KEY", cast.text, "") or (local_secret_key(BASE_DIR / ".secret_key") if DEBUG else "")
if len(SECRET_KEY.encode()) < cast.MIN_KEY_BYTES:
    when = "" if DEBUG else " when DEBUG is off"
    raise ImproperlyConfigured(f"SECRET_KEY must be set to {cast.key.wanted}{when}.")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", cast.host, ["localhost", "127.0.0.1", "[::1]"] if DEBUG else [])
if not ALLOWED_HOSTS:
    raise ImproperlyConfigured("ALLOWED_HOSTS must list the service's host names when DEBUG is off.")
# Where mails lead to; a request's own Host could name any port.
PUBLIC_URL = env("PUBLIC_URL", cast.origin, "" if DEBUG else f"https://{ALLOWED_HOSTS[0].lstrip('.*')}").rstrip("/")
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", cast.origin, [])
CORS_ALLOWED_ORIGINS = env.list("CORS_ALLOWED_ORIGINS", cast.origin, [])
CORS_ALLOW_HEADERS = [*default_headers, "idempotency-key", "if-none-match", "x-request-id"]
CORS_EXPOSE_HEADERS = ["ETag", "Idempotency-Replayed", "Location", "Retry-After", "X-Request-ID"]
CORS_URLS_REGEX = r"^/api/"

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEBUG
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", False)
SECURE_HSTS_SECONDS = env("SECURE_HSTS_SECONDS", cast.seconds, 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("SECURE_HSTS_INCLUDE_SUBDOMAINS", False)
SECURE_HSTS_PRELOAD = env.bool("SECURE_HSTS_PRELOAD", False)
# The header by which a proxy says that the client's side was https; only safe if the proxy sets it always.
_proxy_header = env("PROXY_SSL_HEADER", cast.header)
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
DATABASE_POOLED: bool | None = env.bool("DATABASE_POOLED", None)
_database: dict[str, Any] = env(
    "DATABASE_URL",
    cast.database,
    {"ENGINE": "django.db.backends.sqlite3", "NAME": str(BASE_DIR / "db.sqlite3")},
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
    _options: dict[str, Any] = {
        "connect_timeout": 3,
        # A peer that vanished without a word is found within some 10 seconds, idle or not.
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,
        # Statements of booking/infrastructure/statements.py are prepared in the server, but not behind a pool in
        # transaction mode: the next transaction may be in another session, which doesn't know them.
        "prepare_threshold": None if DATABASE_POOLED else 2,
        # Whatever the server's default: a statement after a lock sees what was committed before the lock was granted.
        "isolation_level": IsolationLevel.READ_COMMITTED,
        **_database.get("OPTIONS", {}),
    }
    _database |= {
        "ENGINE": "movieticket.postgresql",
        "OPTIONS": _options,
        # True, false, or None to find it out.
        "POOLED": DATABASE_POOLED,
        "CONN_HEALTH_CHECKS": True,
        # A pool of ours, where the address asks for one, keeps the connections itself.
        "CONN_MAX_AGE": 0 if _options.get("pool") else 60,
        # A cursor in the server would outlive its transaction, and so its connection.
        "DISABLE_SERVER_SIDE_CURSORS": bool(DATABASE_POOLED),
    }
DATABASES = {"default": _database}
# On PostgreSQL a migration waits no longer than that for a table, as all who come after it wait too; one that broke
# off is started again, and goes on.
ZERO_DOWNTIME_MIGRATIONS_LOCK_TIMEOUT = "2s"
ZERO_DOWNTIME_MIGRATIONS_STATEMENT_TIMEOUT = "10s"
ZERO_DOWNTIME_MIGRATIONS_FLEXIBLE_STATEMENT_TIMEOUT = True
ZERO_DOWNTIME_MIGRATIONS_IDEMPOTENT_SQL = True
# How long a request may wait for the database in all; reports and the import of movies may wait longer.
DATABASE_SECONDS = env("DATABASE_SECONDS", cast.positive, 10)
# Of each worker; deploy/start gives the server the same number.
THREADS = env("THREADS", cast.positive, 4)
STAFF_DATABASE_SECONDS = 6 * DATABASE_SECONDS

CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    # Each worker's own; the version of an entry is that of the catalogue in the database.
    "catalogue": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "LOCATION": "catalogue",
        "TIMEOUT": None,
        "OPTIONS": {"MAX_ENTRIES": 500},
    },
}

# --- Time and language ------------------------------------------------------------------------

LANGUAGE_CODE = "en-gb"
USE_I18N = True
USE_TZ = True
TIME_ZONE = env("TIME_ZONE", cast.time_zone, "UTC")

# --- Accounts ---------------------------------------------------------------------------------

AUTH_USER_MODEL = "booking.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "booking.infrastructure.passwords.MaximumLengthValidator"},
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
    "booking.infrastructure.passwords.Argon2Hasher",
    # What earlier versions used; such a hash is replaced at its user's next sign-in.
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
JWT_SIGNING_KEY = env("JWT_SIGNING_KEY", cast.key, SECRET_KEY)
JWT_VERIFYING_KEYS = env.list("JWT_VERIFYING_KEYS", cast.key, [])
# How long the same refresh token has the same successor; used later than that it ends the session.
REFRESH_GRACE_SECONDS = env("REFRESH_GRACE_SECONDS", cast.positive, 10)
REFRESH_TOKEN_LIFETIME = timedelta(days=env("REFRESH_TOKEN_DAYS", cast.positive, 7))
SIMPLE_JWT = {
    "SIGNING_KEY": JWT_SIGNING_KEY,
    "AUTH_TOKEN_CLASSES": ["booking.infrastructure.tokens.AccessToken"],
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=env("ACCESS_TOKEN_MINUTES", cast.positive, 15)),
    "REFRESH_TOKEN_LIFETIME": REFRESH_TOKEN_LIFETIME,
    # How far the clocks of two servers may differ.
    "LEEWAY": env("JWT_LEEWAY_SECONDS", cast.positive, 5),
    "ROTATE_REFRESH_TOKENS": True,
    "BLACKLIST_AFTER_ROTATION": True,
    "TOKEN_OBTAIN_SERIALIZER": "booking.serializers.TokenSerializer",
    "TOKEN_REFRESH_SERIALIZER": "booking.serializers.RefreshSerializer",
    "TOKEN_BLACKLIST_SERIALIZER": "booking.serializers.LogoutSerializer",
}

# --- Limits -----------------------------------------------------------------------------------

LIMITS = {
    "signup": env("LIMIT_SIGNUP", cast.rate, "20/hour"),
    "token": env("LIMIT_TOKEN", cast.rate, "10/minute"),
    "token_name": env("LIMIT_TOKEN_NAME", cast.rate, "100/hour"),
    "token_address": env("LIMIT_TOKEN_ADDRESS", cast.rate, "100/minute"),
    "admin": env("LIMIT_ADMIN", cast.rate, "10/minute"),
    "admin_address": env("LIMIT_ADMIN_ADDRESS", cast.rate, "30/minute"),
    "refresh": env("LIMIT_REFRESH", cast.rate, "60/minute"),
    "password": env("LIMIT_PASSWORD", cast.rate, "10/minute"),
    "password_reset": env("LIMIT_PASSWORD_RESET", cast.rate, "5/hour"),
    "password_reset_address": env("LIMIT_PASSWORD_RESET_ADDRESS", cast.rate, "20/hour"),
    "password_reset_confirm": env("LIMIT_PASSWORD_RESET_ADDRESS", cast.rate, "20/hour"),
    "booking": env("LIMIT_BOOKING", cast.rate, "60/minute"),
}
# Whose X-Forwarded-For is believed.
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES", cast.proxy, [])
# How long a request's body may take to arrive.
REQUEST_SECONDS = env("REQUEST_SECONDS", cast.positive, 20)
# More than that is no request to this service. What a form of the admin sends counts as a body, too.
MAX_BODY_BYTES = DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000
MAX_UPLOAD_BYTES = 10_000_000
MAX_URL_BYTES = 8_000
MAX_HEADER_BYTES = 16_000
MAX_JSON_DEPTH = 20
PASSWORD_RESET_TIMEOUT = 60 * env("PASSWORD_RESET_MINUTES", cast.positive, 60)
PASSWORD_RESET_URL: str = env("PASSWORD_RESET_URL", cast.reset_url, "")

# --- E-mail -----------------------------------------------------------------------------------

# EMAIL_BACKEND, EMAIL_HOST and so on; without an address it goes to the console, in production nowhere.
_no_server = {"EMAIL_BACKEND": f"django.core.mail.backends.{'console' if DEBUG else 'dummy'}.EmailBackend"}
vars().update(env("EMAIL_URL", cast.mail_server, _no_server))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL", cast.sender, "tickets@localhost")

# --- API --------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["booking.authentication.JWTAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["booking.parsers.BoundedJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["booking.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "booking.renderers.JSONAlways",
    "DEFAULT_PAGINATION_CLASS": "booking.pagination.Pagination",
    "EXCEPTION_HANDLER": "booking.exception_handler.exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
MAX_SEATS_PER_USER = env("MAX_SEATS_PER_USER", cast.positive, 10)
HOLD_MINUTES = env("HOLD_MINUTES", cast.positive, 10)
# However often a customer holds a seat again.
MAX_HOLD_MINUTES = env("MAX_HOLD_MINUTES", cast.positive, 30)
# How long the answer to a request with an Idempotency-Key is stored.
IDEMPOTENCY_HOURS = env("IDEMPOTENCY_HOURS", cast.positive, 24)

SWAGGER_USE_COMPAT_RENDERERS = False
SWAGGER_SETTINGS = {
    "DEFAULT_AUTO_SCHEMA_CLASS": "booking.views.openapi.AutoSchema",
    "DEFAULT_GENERATOR_CLASS": "booking.views.openapi.SchemaGenerator",
    "DEFAULT_INFO": "booking.views.openapi.INFO",
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
LOG_FORMAT = env("LOG_FORMAT", cast.log_format, "text" if DEBUG else "json")
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
METRICS_TOKEN = env("METRICS_TOKEN", cast.text, "")
