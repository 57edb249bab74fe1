"""What happens when Django starts with this application installed?"""

from django.apps import AppConfig
from django.core import checks
from django.core.signals import setting_changed


class CfAccessConfig(AppConfig):
    """``INSTALLED_APPS = ["cfaccess_mw.contrib.django"]``; it has no models and no tables."""

    name = "cfaccess_mw.contrib.django"
    label = "cfaccess"
    verbose_name = "Cloudflare Access"

    def ready(self) -> None:
        """Register the system checks, and let tests change the settings."""
        from cfaccess_mw.contrib.django import conf  # noqa: PLC0415 - applications are being loaded until here
        from cfaccess_mw.contrib.django.checks import CHECKS, DEPLOYMENT_CHECKS  # noqa: PLC0415

        for check in CHECKS:
            checks.register(check, checks.Tags.security)
        for check in DEPLOYMENT_CHECKS:
            checks.register(check, checks.Tags.security, deploy=True)
        setting_changed.connect(conf.forget, dispatch_uid="cfaccess")
