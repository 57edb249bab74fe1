"""What is a user who has no username, no groups and no rights?"""

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models


class Account(AbstractBaseUser):
    """Known by an address alone."""

    email = models.EmailField(unique=True)

    objects = BaseUserManager()

    USERNAME_FIELD = "email"


class Badge(AbstractBaseUser):
    """Known by a number alone, in a column that the database compares in its own way."""

    number = models.CharField(max_length=64, db_collation="NOCASE")

    objects = BaseUserManager()

    USERNAME_FIELD = "number"

    class Meta:
        constraints = (models.UniqueConstraint(fields=["number"], name="one_badge"),)
