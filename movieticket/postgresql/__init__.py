"""Django's PostgreSQL backend with a check of its connections that costs nothing."""
