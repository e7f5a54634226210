"""The service's own settings, with static files collected outside the checkout."""

import os

from movieticket.settings import *  # noqa: F403

STATIC_ROOT = os.environ["STATIC_ROOT"]
# Compressing megabytes takes longer than all tests.
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = ["css", "js", "map", "svg"]
