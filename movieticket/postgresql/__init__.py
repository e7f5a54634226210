"""Django's PostgreSQL backend with deadlines, pipelined statements and a cheap check of connections."""
