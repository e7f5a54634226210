from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("api/", include("booking.urls.api")),
    path("", include("booking.urls.pages")),
    path("admin/", admin.site.urls),
]
handler400 = "booking.exception_handler.bad_request"
handler403 = "booking.exception_handler.permission_denied"
handler404 = "booking.exception_handler.not_found"
handler500 = "booking.exception_handler.server_error"
