"""Django's SQLite backend, fit for a server with threads."""
