"""The service's own settings, with static files collected outside the checkout and a strict policy for pages."""

import os

from movieticket.settings import *  # noqa: F403

MIDDLEWARE = ["tests.browser.policy.content_security_policy", *MIDDLEWARE]  # noqa: F405
STATIC_ROOT = os.environ["STATIC_ROOT"]
# Compressing megabytes takes longer than all tests.
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = ["css", "js", "map", "svg"]
