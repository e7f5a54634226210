"""The OpenAPI document, in JSON and YAML, and its pages in HTML."""

from contextlib import suppress
from typing import Any

from drf_yasg.views import get_schema_view
from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class DocumentNegotiation(DefaultContentNegotiation):
    """Selects by the ending of the path, or by the Accept header, and otherwise the first format: never 406."""

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        if format_suffix:
            renderers = self.filter_renderers(renderers, format_suffix)
        else:
            with suppress(NotAcceptable):
                selected: tuple[BaseRenderer, str] = super().select_renderer(request, renderers)
                return selected
        return renderers[0], renderers[0].media_type


class DocumentView(get_schema_view(public=True, authentication_classes=(), permission_classes=())):  # type: ignore[misc]
    content_negotiation_class = DocumentNegotiation
