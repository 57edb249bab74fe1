"""Which pages are there?"""

from django.contrib import admin
from django.urls import include, path

from project import views

urlpatterns = [
    path("", views.home),
    path("healthz", views.healthz),
    path("staff", views.staff),
    path("whoami", views.whoami),
    path("accounts/", include("cfaccess_mw.contrib.django.urls")),
    path("admin/", admin.site.urls),
]
