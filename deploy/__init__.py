"""How the service is put to work."""
