"""The production settings with a bare view for comparison and without rate limits."""

from datetime import timedelta

from movieticket.settings import *  # noqa: F403
from movieticket.settings import LIMITS, SIMPLE_JWT

ROOT_URLCONF = "benchmarks.urls"
MAX_SEATS_PER_USER = 1_000_000
LIMITS = dict.fromkeys(LIMITS, (1_000_000, 1))
# DEBUG is off, which the demo provider would otherwise need.
PAYMENT_PROVIDERS = {"demo": "booking.services.money.providers.demo.Demo"}
# Without collected static files.
STORAGES = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
# Longer than a run.
SIMPLE_JWT = SIMPLE_JWT | {"ACCESS_TOKEN_LIFETIME": timedelta(days=1)}
