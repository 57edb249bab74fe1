"""How does Django's own admin become one without passwords?

Write ``"cfaccess_mw.contrib.django.admin_app.AccessAdminConfig"`` in place of ``"django.contrib.admin"`` into
``INSTALLED_APPS``; ``admin.site`` and everything that is registered there stay what they are.
"""

from django.contrib.admin.apps import AdminConfig


class AccessAdminConfig(AdminConfig):
    """The admin, with :class:`~cfaccess_mw.contrib.django.sites.AccessAdminSite` as its site."""

    default = False
    default_site = "cfaccess_mw.contrib.django.sites.AccessAdminSite"
