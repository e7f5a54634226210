"""The view of the API's own path."""

from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from booking.serializers import RootSerializer
from booking.views.common import Public
from booking.views.openapi import operation

LISTS = ("movies", "shows", "my-bookings")


class RootView(Public, APIView):
    @operation(
        name="get_links",
        tag="Start",
        summary="List the addresses",
        description="Addresses of the lists and of the documentation.",
        responses={200: RootSerializer},
        refusals=["bad_request"],
    )
    def get(self, request: Request) -> Response:
        pages = {"swagger": reverse("swagger"), "redoc": reverse("redoc"), "openapi": reverse("schema", args=["json"])}
        paths = {name.replace("-", "_"): f"{reverse('root')}{name}/" for name in LISTS} | pages
        return Response({name: request.build_absolute_uri(path) for name, path in paths.items()})


class BareRootView(RootView):
    """The same at the path without its slash, which is not documented."""

    swagger_schema = None
