"""The production settings, with a bare view to compare with and with no limit in the way."""

from movieticket.settings import *  # noqa: F403
from movieticket.settings import REST_FRAMEWORK

ROOT_URLCONF = "benchmarks.urls"
MAX_SEATS_PER_USER = 1_000_000
REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"] = dict.fromkeys(REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"], "1000000/second")
# The admin's pages are measured without collecting the files that they name.
STORAGES = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
