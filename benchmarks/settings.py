"""The production settings, with a bare view to compare with and with no limit in the way."""

from movieticket.settings import *  # noqa: F403
from movieticket.settings import LIMITS

ROOT_URLCONF = "benchmarks.urls"
MAX_SEATS_PER_USER = 1_000_000
LIMITS = dict.fromkeys(LIMITS, (1_000_000, 1))
# The admin's pages are measured without collecting the files that they name.
STORAGES = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
