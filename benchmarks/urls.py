from django.http import HttpRequest, HttpResponse
from django.urls import path

from movieticket import urls


def bare(_: HttpRequest) -> HttpResponse:
    """A view that measures only Django and the middleware."""
    return HttpResponse(b"{}", content_type="application/json")


urlpatterns = [path("bare/", bare), *urls.urlpatterns]
handler400, handler404, handler500 = urls.handler400, urls.handler404, urls.handler500
