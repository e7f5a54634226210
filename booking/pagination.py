from typing import Any

from rest_framework.pagination import PageNumberPagination
from rest_framework.views import APIView


class Pagination(PageNumberPagination):
    page_size = 20
    page_size_query_param = "page_size"
    max_page_size = 100

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        """Documents nothing: `page` and `page_size` are fields of ListQuery."""
        return []
