#!/usr/bin/env python
"""Runs Django's commands for this project."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import OperationalError


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "movieticket.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        # A wrong setting is reported in a sentence, without a traceback.
        sys.exit(f"Configuration error: {error}")
    except OperationalError as error:
        sys.exit(f"The database is not available: {str(error).strip()}")


if __name__ == "__main__":
    main()
