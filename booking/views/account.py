"""Views for sign-up, sign-in, sign-out and the account."""

from typing import Any

from django.conf import settings
from django.utils import timezone
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView
from rest_framework_simplejwt import views as jwt_views

from booking import services
from booking.renderers import ApiResponse
from booking.serializers import (
    AccountChangeSerializer,
    AccountSerializer,
    DeletionSerializer,
    ExportSerializer,
    LogoutSerializer,
    MessageSerializer,
    PasswordChangeSerializer,
    RefreshSerializer,
    SignupSerializer,
    TokenPairSerializer,
    TokenSerializer,
)
from booking.throttling import (
    ExportThrottle,
    PasswordThrottle,
    RefreshThrottle,
    SignupThrottle,
    TokenThrottle,
    address_of,
    body_field,
)
from booking.views.common import Public, account, created, validated
from booking.views.errors import TOKEN_REFUSALS
from booking.views.openapi import operation


class SignupView(Public, APIView):
    throttle_classes = [SignupThrottle]

    @operation(
        name="sign_up",
        tag="Account",
        summary="Sign up",
        request=SignupSerializer,
        responses={201: AccountSerializer},
        invalid=("username", "unique", "A user with that username already exists."),
    )
    def post(self, request: Request) -> ApiResponse:
        user = services.sign_up(**validated(SignupSerializer, request))
        return created(request, "me/", AccountSerializer(user).data)


class TokenView(jwt_views.TokenObtainPairView):
    throttle_classes = [TokenThrottle]

    @operation(
        name="sign_in",
        tag="Account",
        summary="Sign in",
        description="Returns a short-lived access token, and a refresh token to get new access tokens with.",
        request=TokenSerializer,
        responses={200: TokenPairSerializer},
        invalid=("password", "required", "This field is required."),
        refusals=["no_active_account"],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response = super().post(request, *args, **kwargs)
        services.trust_address(username=body_field(request, "username"), address=address_of(request))
        return response


class RefreshView(jwt_views.TokenRefreshView):
    throttle_classes = [RefreshThrottle]

    @operation(
        name="refresh_token",
        tag="Account",
        summary="Get new tokens for a refresh token",
        description=(
            "A refresh token can be used once; the response contains its successor. The same request within "
            f"{settings.REFRESH_GRACE_SECONDS} seconds, from another tab or because the response was lost, gets the "
            "same tokens. A token that is used again later may have been stolen, so all tokens of this sign-in become "
            "invalid."
        ),
        request=RefreshSerializer,
        responses={200: TokenPairSerializer},
        invalid=("refresh", "required", "This field is required."),
        refusals=[*TOKEN_REFUSALS],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().post(request, *args, **kwargs)


class LogoutView(jwt_views.TokenBlacklistView):
    throttle_classes = [RefreshThrottle]

    @operation(
        name="sign_out",
        tag="Account",
        summary="Sign out",
        description="All tokens of this sign-in become invalid immediately; other devices stay signed in.",
        request=LogoutSerializer,
        responses={200: MessageSerializer},
        invalid=("refresh", "required", "This field is required."),
        refusals=[*TOKEN_REFUSALS],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().post(request, *args, **kwargs)


class MeView(APIView):
    def get_throttles(self) -> list[BaseThrottle]:
        # DELETE checks the password, so it has the same limit as a change of the password.
        return [PasswordThrottle()] if self.request.method == "DELETE" else []

    @operation(name="get_account", tag="Account", summary="See your account", responses={200: AccountSerializer})
    def get(self, request: Request) -> Response:
        return Response(AccountSerializer(account(request)).data)

    @operation(
        name="update_account",
        tag="Account",
        summary="Change your e-mail address",
        request=AccountChangeSerializer,
        responses={200: AccountSerializer},
        invalid=("email", "invalid", "Enter a valid email address."),
    )
    def patch(self, request: Request) -> Response:
        user = services.update_email(user=account(request), **validated(AccountChangeSerializer, request))
        return Response(AccountSerializer(user).data)

    @operation(
        name="delete_account",
        tag="Account",
        summary="Delete your account",
        description=(
            "Cancels your bookings and holds of upcoming shows; past bookings remain without your name. All your "
            "tokens become invalid immediately."
        ),
        request=DeletionSerializer,
        responses={204: "The account is deleted."},
        invalid=("password", "wrong_password", "This is not your current password."),
        refusals=[services.StaffAccount, services.NotFound],
    )
    def delete(self, request: Request) -> Response:
        services.delete_account(user=account(request), now=timezone.now(), **validated(DeletionSerializer, request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class ExportView(APIView):
    throttle_classes = [ExportThrottle]

    @operation(
        name="export_account",
        tag="Account",
        summary="Export your data",
        description="Everything that is stored about you: your account, orders, bookings and sign-ins.",
        responses={200: ExportSerializer},
    )
    def get(self, request: Request) -> Response:
        return Response(services.export_account(user=account(request)), headers={"Cache-Control": "no-store"})


class LogoutEverywhereView(APIView):
    @operation(
        name="sign_out_everywhere",
        tag="Account",
        summary="Sign out everywhere",
        description="All your tokens become invalid immediately, on this device and on all others.",
        responses={204: "Signed out everywhere."},
    )
    def post(self, request: Request) -> Response:
        services.revoke_all_sessions(user=account(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class PasswordView(APIView):
    throttle_classes = [PasswordThrottle]

    @operation(
        name="change_password",
        tag="Account",
        summary="Change your password",
        description="All your tokens become invalid immediately; sign in again.",
        request=PasswordChangeSerializer,
        responses={204: "The password is changed."},
        invalid=("current_password", "wrong_password", "This is not your current password."),
        refusals=[services.NotFound],
    )
    def post(self, request: Request) -> Response:
        services.change_password(user=account(request), **validated(PasswordChangeSerializer, request))
        return Response(status=status.HTTP_204_NO_CONTENT)
