"""Views for resetting a forgotten password with a link by e-mail."""

from typing import Any, cast

from django.contrib.auth.views import INTERNAL_RESET_SESSION_TOKEN, PasswordResetConfirmView
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from booking import services
from booking.models import User
from booking.serializers import MessageSerializer, NewPasswordSerializer, PasswordResetSerializer
from booking.throttling import PasswordResetConfirmThrottle, PasswordResetThrottle, address_of, set_limit_headers
from booking.views.common import Public, own_origin, validated
from booking.views.openapi import operation

SENT = "If an account has this e-mail address, a link has been sent to it."


class PasswordResetView(Public, APIView):
    throttle_classes = [PasswordResetThrottle]

    @operation(
        name="request_password_reset",
        tag="Account",
        summary="Ask for a new password",
        description="Mails a link to each account with this address. The response does not reveal whether one exists.",
        request=PasswordResetSerializer,
        responses={202: MessageSerializer},
        invalid=("email", "invalid", "Enter a valid email address."),
    )
    def post(self, request: Request) -> Response:
        origin = own_origin(request)
        services.request_reset_links(**validated(PasswordResetSerializer, request), origin=origin, now=timezone.now())
        return Response({"detail": SENT}, status.HTTP_202_ACCEPTED)


class NewPasswordView(Public, APIView):
    throttle_classes = [PasswordResetConfirmThrottle]

    @operation(
        name="reset_password",
        tag="Account",
        summary="Choose a new password",
        description="Sets a new password with the uid and the token of the link. All earlier tokens become invalid.",
        request=NewPasswordSerializer,
        responses={204: "The password is changed."},
        invalid=("token", "invalid_link", "This link is invalid or has expired. Request a new one."),
    )
    def post(self, request: Request) -> Response:
        services.reset_password(**validated(NewPasswordSerializer, request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class NewPasswordPage(PasswordResetConfirmView):
    """The page of the link unless PASSWORD_RESET_URL is set: Django's view, with this project's service."""

    template_name = "booking/new_password.html"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        state = services.count_attempt(limit=PasswordResetConfirmThrottle.limit, key=address_of(request))
        if state.is_exceeded:
            wait = state.seconds_left
            # An empty form, because the input is not validated.
            context = self.get_context_data(form=self.form_class(cast(User, self.user)), wait=wait)
            response = self.render_to_response(context, status=429, headers={"Retry-After": str(wait)})
        else:
            response = super().post(request, *args, **kwargs)
        set_limit_headers(response.headers, state)
        return response

    def form_valid(self, form: Any) -> HttpResponse:
        call = {"uid": self.kwargs["uidb64"], "new_password": form.cleaned_data["new_password1"]}
        try:
            services.reset_password(token=self.request.session.pop(INTERNAL_RESET_SESSION_TOKEN), **call)
        except services.InvalidInput:
            # Race: the link was used or the account deactivated after the page checked the link.
            self.validlink = False
            return self.render_to_response(self.get_context_data())
        return super(PasswordResetConfirmView, self).form_valid(form)
