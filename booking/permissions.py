"""DRF permissions."""

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView


class MayCheckIn(BasePermission):
    """Staff who may admit at the door; customers may not, whatever permissions they have."""

    message = "Your account may not admit at the door."

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.user.is_staff and request.user.has_perm("booking.check_in")
