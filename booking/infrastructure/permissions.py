"""Permissions read in one prepared statement, where Django's backend compiles and sends two queries."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Permission
from django.db.models import QuerySet
from django.http import HttpRequest

from booking.infrastructure.statements import Query


def _permissions(**of_user: Any) -> QuerySet[Permission, Any]:
    return Permission.objects.filter(**of_user).order_by().values_list("content_type__app_label", "codename")


_read_permissions = Query(lambda p: _permissions(user=p.user_id).union(_permissions(group__user=p.user_id)))


class PermissionBackend(ModelBackend):
    """Reads permissions; Django's ModelBackend, which stands behind it, signs in and knows the sessions."""

    def authenticate(self, request: HttpRequest | None, *_: Any, **__: Any) -> None:
        """Leaves signing in to ModelBackend, so that sessions stay valid with and without this backend."""

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """Return the permissions of the user and their groups, such as "booking.check_in"."""
        is_cached = hasattr(user_obj, "_perm_cache")
        if user_obj.is_active and not user_obj.is_superuser and obj is None and not is_cached:
            # ModelBackend reads the same attribute.
            user_obj._perm_cache = {".".join(row) for row in _read_permissions(user_id=user_obj.pk)}
        return super().get_all_permissions(user_obj, obj)
