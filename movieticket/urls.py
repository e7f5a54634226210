from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView
from drf_yasg.views import get_schema_view
from rest_framework.negotiation import DefaultContentNegotiation


class SchemaView(get_schema_view(public=True, authentication_classes=(), permission_classes=())):  # type: ignore[misc]
    # Serves HTML, JSON and YAML, unlike the API, which always responds in JSON.
    content_negotiation_class = DefaultContentNegotiation


urlpatterns = [
    path("api/", include("booking.urls.api")),
    path("", include("booking.urls.pages")),
    path("", RedirectView.as_view(pattern_name="swagger")),
    path("admin/", admin.site.urls),
    path("swagger/", SchemaView.with_ui("swagger"), name="swagger"),
    path("redoc/", SchemaView.with_ui("redoc"), name="redoc"),
    re_path(r"^swagger\.(?P<format>json|yaml)$", SchemaView.without_ui(), name="schema"),
]
handler400 = "booking.exception_handler.bad_request"
handler404 = "booking.exception_handler.not_found"
handler500 = "booking.exception_handler.server_error"
