from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("api/", include("booking.urls.api")),
    path("", include("booking.urls.pages")),
    path("", RedirectView.as_view(pattern_name="swagger")),
    path("admin/", admin.site.urls),
]
handler400 = "booking.exception_handler.bad_request"
handler404 = "booking.exception_handler.not_found"
handler500 = "booking.exception_handler.server_error"
