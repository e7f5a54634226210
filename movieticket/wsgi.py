"""The WSGI application for production servers."""

import gc
import os
import sys
from typing import Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.wsgi import WSGIRequest
from django.core.wsgi import get_wsgi_application
from django.utils.http import parse_header_parameters

from movieticket.granian_worker import install
from movieticket.request_body import WholeBody
from movieticket.workers import end_with_parent, watch_other_workers


class Request(WSGIRequest):
    """Reads addresses and forms as UTF-8 whatever Content-Type says.

    Django decodes them with the charset, before any error handler runs; codecs such as `hex` can't decode a text. It
    also raises ValueError for invalid parameters, which are ignored here.
    """

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        header = meta.get("CONTENT_TYPE", "")
        try:
            self.content_type, self.content_params = parse_header_parameters(header)
        except ValueError:
            meta["CONTENT_TYPE"] = header.partition(";")[0]
            self.content_type, self.content_params = parse_header_parameters(meta["CONTENT_TYPE"])


end_with_parent()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "movieticket.settings")
try:
    handler = get_wsgi_application()
    handler.request_class = Request
    application = WholeBody(handler)
    apps.get_app_config("booking").prepare_to_serve()  # type: ignore[attr-defined]
except ImproperlyConfigured as error:
    sys.exit(f"Configuration error: {error}")
install()
# Objects that exist now live as long as the process, so the garbage collector can skip them.
gc.freeze()
# A request creates many short-lived objects; collecting after every 700 of them (the default) finds no cycles.
gc.set_threshold(10_000)
watch_other_workers()
