"""The WSGI application that a production server imports."""

import gc
import os
import sys
from contextlib import suppress
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.wsgi import WSGIRequest
from django.core.wsgi import get_wsgi_application


class Request(WSGIRequest):
    """Leaves out parameters of a Content-Type that can't be read, at which Django breaks off before any handler."""

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        try:
            super()._set_content_type_params(meta)  # type: ignore[misc]
        except ValueError:
            meta["CONTENT_TYPE"] = meta["CONTENT_TYPE"].partition(";")[0]
            super()._set_content_type_params(meta)  # type: ignore[misc]


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "movieticket.settings")
try:
    application = get_wsgi_application()
    application.request_class = Request
except ImproperlyConfigured as error:
    sys.exit(f"Configuration error: {error}")
# A worker that wakes up, of which there are several a processor and as many of the database, goes on when its turn has
# come and throws nobody out for it: each switch costs the one who has to start again. Linux has that, if it is allowed.
with suppress(AttributeError, OSError):
    if os.sched_getscheduler(0) == os.SCHED_OTHER:
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
# What is there by now stays; no collection of garbage has to go through it again.
gc.freeze()
