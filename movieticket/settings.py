"""Settings of the service, read from environment variables.

The defaults are for local development: DEBUG on, SQLite, a generated key, loopback only. The README
lists every variable. An invalid value stops the start with a message that names its variable.
"""

import secrets
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from corsheaders.defaults import default_headers
from django.core.exceptions import ImproperlyConfigured
from psycopg import IsolationLevel

from movieticket import environment as cast

env = cast.Env()
BASE_DIR = Path(__file__).resolve().parent.parent


def local_secret_key(path: Path, size: int = 50) -> str:
    """Return a secret of this checkout, `size` bytes in base64, which is generated once in a file that git ignores."""
    if not path.exists():
        new = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        new.touch(mode=0o600)
        new.write_text(secrets.token_urlsafe(size))
        # A hard link is atomic: no process reads a partial file, and the first of several processes wins.
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
# The first key signs tickets; tickets signed with the others, earlier ones, stay valid.
TICKET_SIGNING_KEYS = env.list("TICKET_SIGNING_KEY", cast.ticket_key, [])
if DEBUG and not TICKET_SIGNING_KEYS:
    TICKET_SIGNING_KEYS = [cast.ticket_key(local_secret_key(BASE_DIR / ".ticket_key", cast.TICKET_KEY_BYTES))]
if not TICKET_SIGNING_KEYS:
    raise ImproperlyConfigured(f"TICKET_SIGNING_KEY must be set to {cast.ticket_key.wanted} when DEBUG is off.")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", cast.host, ["localhost", "127.0.0.1", "[::1]"] if DEBUG else [])
if not ALLOWED_HOSTS:
    raise ImproperlyConfigured("ALLOWED_HOSTS must list the service's host names when DEBUG is off.")
# The address in links of mail; a request's own Host could name any port.
PUBLIC_URL = env("PUBLIC_URL", cast.origin, "" if DEBUG else f"https://{ALLOWED_HOSTS[0].lstrip('.*')}").rstrip("/")
# The path at which a proxy serves this service; the proxy removes it before it passes a request on.
FORCE_SCRIPT_NAME: str | None = env("SCRIPT_NAME", cast.prefix, None)
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", cast.origin, [])
CORS_ALLOWED_ORIGINS = env.list("CORS_ALLOWED_ORIGINS", cast.origin, [])
CORS_ALLOW_HEADERS = [*default_headers, "idempotency-key", "if-none-match", "x-request-id"]
_limit_headers = ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"]
CORS_EXPOSE_HEADERS = ["ETag", "Idempotency-Replayed", "Location", *_limit_headers, "Retry-After", "X-Request-ID"]
CORS_URLS_REGEX = r"^/api/"

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEBUG
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", False)
SECURE_HSTS_SECONDS = env("SECURE_HSTS_SECONDS", cast.seconds, 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("SECURE_HSTS_INCLUDE_SUBDOMAINS", False)
SECURE_HSTS_PRELOAD = env.bool("SECURE_HSTS_PRELOAD", False)
# The header in which a proxy reports HTTPS; only safe if the proxy always sets it.
_proxy_header = env("PROXY_SSL_HEADER", cast.header)
SECURE_PROXY_SSL_HEADER = (_proxy_header, "https") if _proxy_header else None
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "booking.exception_handler.csrf_failure"

# --- Application ------------------------------------------------------------------------------

INSTALLED_APPS = [
    "booking.apps.BookingConfig",  # before drf_yasg: it overrides two of its templates
    "booking.apps.CinemaAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "corsheaders",
    "django_tasks",
    "django_tasks_db",
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
    # With DEBUG on, runserver serves static files itself.
    *([] if DEBUG else ["whitenoise.middleware.WhiteNoiseMiddleware"]),
    "movieticket.deadline.DeadlineMiddleware",
    "booking.middleware.CorsMiddleware",
    # After CORS, so that pages of other origins can read its responses; before every middleware that reads a body.
    "booking.middleware.RequestBounds",
    "booking.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "booking.middleware.AuthenticationMiddleware",
    "booking.middleware.MessageMiddleware",
    "booking.middleware.BusyPages",
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
# The texts of mail. Files in MAIL_TEMPLATES_DIR replace those of the same name in booking/templates/booking/mail/.
MAIL_TEMPLATES_DIR: str = env("MAIL_TEMPLATES_DIR", cast.folder, "")
for _kind in ("text", "html"):
    TEMPLATES.append(
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "NAME": f"mail_{_kind}",
            "DIRS": [*filter(None, [MAIL_TEMPLATES_DIR]), BASE_DIR / "booking" / "templates" / "booking" / "mail"],
            "OPTIONS": {"autoescape": _kind == "html"},
        }
    )
# In requests the path of the proxy is removed. WhiteNoise is set up before Django knows that path.
WHITENOISE_STATIC_PREFIX = "/static/"
STATIC_URL = f"{FORCE_SCRIPT_NAME or ''}{WHITENOISE_STATIC_PREFIX}"
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

# Whether DATABASE_URL leads to a pool in transaction mode, such as PgBouncer. If unset, each connection detects it.
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
            # SQLite can't make a transaction wait that reads first and writes later, so each starts as a writer.
            "transaction_mode": "IMMEDIATE",
            # WAL lets readers continue during a write; FULL makes commits survive a power failure.
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        },
        # A file rather than memory, because threads of a test need their own connections.
        "TEST": {"NAME": str(BASE_DIR / "test_db.sqlite3")},
    }
else:
    _options: dict[str, Any] = {
        "connect_timeout": 3,
        # A lost peer is detected within about 10 seconds, on idle and on busy connections.
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,
        # Prepared statements don't work behind a pool in transaction mode, where the next transaction may run in
        # another session.
        "prepare_threshold": None if DATABASE_POOLED else 2,
        # A statement after a lock has to read everything that was committed before the lock was granted.
        "isolation_level": IsolationLevel.READ_COMMITTED,
        **_database.get("OPTIONS", {}),
    }
    _database |= {
        "ENGINE": "movieticket.postgresql",
        "OPTIONS": _options,
        # None: each connection detects it.
        "POOLED": DATABASE_POOLED,
        "CONN_HEALTH_CHECKS": True,
        # With Django's own pool (?pool=true), the pool keeps the connections open.
        "CONN_MAX_AGE": 0 if _options.get("pool") else 60,
        # Django's server-side cursors outlive their transaction, and so their session of the pool.
        "DISABLE_SERVER_SIDE_CURSORS": bool(DATABASE_POOLED),
    }
DATABASES = {"default": _database}
# On PostgreSQL a migration waits at most this long for a table lock, because other queries queue behind it. A failed
# migration can be run again and continues where it stopped.
ZERO_DOWNTIME_MIGRATIONS_LOCK_TIMEOUT = "2s"
ZERO_DOWNTIME_MIGRATIONS_STATEMENT_TIMEOUT = "10s"
ZERO_DOWNTIME_MIGRATIONS_FLEXIBLE_STATEMENT_TIMEOUT = True
ZERO_DOWNTIME_MIGRATIONS_IDEMPOTENT_SQL = True
# The total time a request may wait for the database; reports and the import of movies have STAFF_DATABASE_SECONDS.
DATABASE_SECONDS = env("DATABASE_SECONDS", cast.positive, 10)
# Threads per worker; deploy/start passes the same number to the server.
THREADS = env("THREADS", cast.positive, 4)
STAFF_DATABASE_SECONDS = 6 * DATABASE_SECONDS

CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    # One per worker; entries are stored under the catalogue's version in the database.
    "catalogue": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "LOCATION": "catalogue",
        "TIMEOUT": None,
        "OPTIONS": {"MAX_ENTRIES": 500},
    },
}

# --- Tasks ------------------------------------------------------------------------------------

# Worked by `manage.py db_worker`. A task is a row that is written in the transaction of its change.
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}

# --- Time and language ------------------------------------------------------------------------

LANGUAGE_CODE = "en-gb"
USE_I18N = True
USE_TZ = True
FORMAT_MODULE_PATH = "movieticket.formats"
TIME_ZONE = env("TIME_ZONE", cast.time_zone, "UTC")

# --- Accounts ---------------------------------------------------------------------------------

AUTH_USER_MODEL = "booking.User"
AUTHENTICATION_BACKENDS = [
    # Reads permissions in one statement; the other one signs in.
    "booking.infrastructure.permissions.PermissionBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "booking.infrastructure.passwords.MaximumLengthValidator"},
    *(
        {"NAME": f"django.contrib.auth.password_validation.{name}"}
        for name in (
            "UserAttributeSimilarityValidator",
            "MinimumLengthValidator",
            "NumericPasswordValidator",
            # Off with DEBUG, so that demo accounts can have memorable passwords.
            *([] if DEBUG else ["CommonPasswordValidator"]),
        )
    ),
]
PASSWORD_HASHERS = [
    "booking.infrastructure.passwords.Argon2Hasher",
    # Hashes of earlier versions are replaced at the user's next sign-in.
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
JWT_SIGNING_KEY = env("JWT_SIGNING_KEY", cast.key, SECRET_KEY)
JWT_VERIFYING_KEYS = env.list("JWT_VERIFYING_KEYS", cast.key, [])
# A refresh token that is used again within this time gets the same successor; after it, the session is revoked.
REFRESH_GRACE_SECONDS = env("REFRESH_GRACE_SECONDS", cast.positive, 10)
REFRESH_TOKEN_LIFETIME = timedelta(days=env("REFRESH_TOKEN_DAYS", cast.positive, 7))
SIMPLE_JWT = {
    "SIGNING_KEY": JWT_SIGNING_KEY,
    "AUTH_TOKEN_CLASSES": ["booking.infrastructure.tokens.AccessToken"],
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=env("ACCESS_TOKEN_MINUTES", cast.positive, 15)),
    "REFRESH_TOKEN_LIFETIME": REFRESH_TOKEN_LIFETIME,
    # The greatest difference between the clocks of two servers.
    "LEEWAY": env("JWT_LEEWAY_SECONDS", cast.positive, 5),
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
    "export": env("LIMIT_EXPORT", cast.rate, "10/hour"),
    "password_reset": env("LIMIT_PASSWORD_RESET", cast.rate, "5/hour"),
    "password_reset_address": env("LIMIT_PASSWORD_RESET_ADDRESS", cast.rate, "20/hour"),
    "password_reset_confirm": env("LIMIT_PASSWORD_RESET_ADDRESS", cast.rate, "20/hour"),
    "booking": env("LIMIT_BOOKING", cast.rate, "60/minute"),
    "ticket": env("LIMIT_TICKET", cast.rate, "120/minute"),
    "door": env("LIMIT_DOOR", cast.rate, "300/minute"),
}
# The proxies whose X-Forwarded-For is trusted.
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES", cast.proxy, [])
# The time limit for receiving a request's body.
REQUEST_SECONDS = env("REQUEST_SECONDS", cast.positive, 20)
# Larger requests are refused. The limit on bodies also applies to the admin's forms.
MAX_BODY_BYTES = DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000
MAX_UPLOAD_BYTES = 10_000_000
MAX_URL_BYTES = 8_000
MAX_HEADER_BYTES = 16_000
MAX_JSON_DEPTH = 20
PASSWORD_RESET_TIMEOUT = 60 * env("PASSWORD_RESET_MINUTES", cast.positive, 60)
PASSWORD_RESET_URL: str = env("PASSWORD_RESET_URL", cast.reset_url, "")

# --- E-mail -----------------------------------------------------------------------------------

# EMAIL_URL sets EMAIL_BACKEND, EMAIL_HOST etc. Without it, mail is printed with DEBUG on and discarded with DEBUG off.
_no_server = {"EMAIL_BACKEND": f"django.core.mail.backends.{'console' if DEBUG else 'dummy'}.EmailBackend"}
_mail_server: dict[str, Any] = env("EMAIL_URL", cast.mail_server, _no_server)
vars().update(_mail_server)
# The seconds that the mail server may take for each step.
EMAIL_TIMEOUT = 10
# Whether tasks are written for mail. No old mail is sent later, when EMAIL_URL gets set.
SENDS_MAIL = DEBUG or _mail_server is not _no_server
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
# The longest time a customer can hold a seat, renewals included.
MAX_HOLD_MINUTES = env("MAX_HOLD_MINUTES", cast.positive, 30)
# Tickets are admitted from this time before the show.
DOORS_OPEN_MINUTES = env("DOORS_OPEN_MINUTES", cast.positive, 45)
# The response to a request with an Idempotency-Key is stored for this time.
IDEMPOTENCY_HOURS = env("IDEMPOTENCY_HOURS", cast.positive, 24)
# ISO 4217; all prices are in this currency.
CURRENCY = env("CURRENCY", cast.currency, "EUR")
# Whether seats can be booked before they are paid; otherwise customers hold them and pay.
PAY_LATER = env.bool("PAY_LATER", True)
# Customers who cancel later than this before the start get no money back.
REFUND_UNTIL_MINUTES = env("REFUND_UNTIL_MINUTES", cast.minutes, 60)
# The tax that prices contain, for receipts.
TAX_PERCENT = env("TAX_PERCENT", cast.percent, Decimal(0))
# The name, address and tax number of the cinema on receipts; semicolons end lines.
RECEIPT_ISSUER = [line.strip() for line in env("RECEIPT_ISSUER", str, "").split(";") if line.strip()]
# The origins of the pages that customers may return to from a payment provider, besides this service's own.
PAYMENT_RETURN_ORIGINS = env.list("PAYMENT_RETURN_ORIGINS", cast.origin, CORS_ALLOWED_ORIGINS)
PAYMENT_PROVIDERS = {"counter": "booking.services.money.providers.counter.Counter"}
# Both or neither; see docs/payments.md.
STRIPE_SECRET_KEY: str = env("STRIPE_SECRET_KEY", cast.stripe_key, "")
STRIPE_WEBHOOK_SECRET: str = env("STRIPE_WEBHOOK_SECRET", cast.stripe_webhook_secret, "")
STRIPE_API_BASE = env("STRIPE_API_BASE", cast.origin, "https://api.stripe.com").rstrip("/")
if bool(STRIPE_SECRET_KEY) != bool(STRIPE_WEBHOOK_SECRET):
    raise ImproperlyConfigured("STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET must be set together.")
if STRIPE_SECRET_KEY:
    if not find_spec("stripe"):
        raise ImproperlyConfigured(
            "STRIPE_SECRET_KEY is set, but the package stripe is not installed: pip install -r requirements-stripe.txt"
        )
    PAYMENT_PROVIDERS["stripe"] = "booking.services.money.providers.stripe.Stripe"
# A local page that stands for a payment provider.
if DEBUG:
    PAYMENT_PROVIDERS["demo"] = "booking.services.money.providers.demo.Demo"
# The number of days after a show for which contact details of customers without an account are stored.
KEEP_CONTACTS_DAYS = env("KEEP_CONTACTS_DAYS", cast.positive, 90)

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
            "In the form of Swagger UI, the token alone is enough.",
        }
    },
    "USE_SESSION_AUTH": False,
    "VALIDATOR_URL": None,
    "DOC_EXPANSION": "list",
    "OPERATIONS_SORTER": None,
    "TAGS_SORTER": None,
    "DEFAULT_MODEL_RENDERING": "example",
    # Models are closed.
    "DEFAULT_MODEL_DEPTH": 0,
    "SHOW_EXTENSIONS": False,
    # booking/static/booking/swagger.js stores the tokens.
    "PERSIST_AUTH": False,
}

# --- Log --------------------------------------------------------------------------------------

# With DEBUG on, runserver logs each request itself.
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
        # Client errors are reported to the client; only server errors are logged.
        "django.request": {"level": "ERROR"},
        # The provider itself logs what went wrong, without what Stripe says about the payment.
        "stripe": {"level": "WARNING"},
        "django.security.DisallowedHost": {"handlers": ["null"], "propagate": False},
        "movieticket.requests": {
            "handlers": ["stdout"],
            "level": "INFO" if LOG_FORMAT == "json" else "WARNING",
            "propagate": False,
        },
    },
}
# The bearer token for /metrics. Without it, /metrics works only with DEBUG on.
METRICS_TOKEN = env("METRICS_TOKEN", cast.text, "")
