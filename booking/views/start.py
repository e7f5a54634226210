"""The start page of the service, which shows staff and developers where to go."""

from django.views.generic import TemplateView


class StartPage(TemplateView):
    template_name = "booking/start.html"
