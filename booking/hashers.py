"""How passwords are hashed."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2Hasher(Argon2PasswordHasher):
    """Django's, with the parameters of OWASP's Password Storage Cheat Sheet: 19 MiB, 2 passes, 1 lane.

    Django's own take 100 MiB and 8 threads for each sign-in, which a few sign-ins at once can't have.
    """

    memory_cost = 19 * 1024
    time_cost = 2
    parallelism = 1
