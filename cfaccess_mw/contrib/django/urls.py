"""Which paths do the login and the logout have? ``path("accounts/", include("cfaccess_mw.contrib.django.urls"))``

They are called as Django calls its own, so that ``LOGIN_URL = "login"`` and ``{% url "logout" %}`` find them.
"""

from django.urls import path

from cfaccess_mw.contrib.django.views import AccessLoginView, AccessLogoutView

urlpatterns = [
    path("login/", AccessLoginView.as_view(), name="login"),
    path("logout/", AccessLogoutView.as_view(), name="logout"),
]
