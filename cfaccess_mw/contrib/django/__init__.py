"""How does a Django project refuse what did not come through Cloudflare Access, and know who is asking?

::

    INSTALLED_APPS = [..., "cfaccess_mw.contrib.django"]

    MIDDLEWARE = [
        "cfaccess_mw.contrib.django.middleware.AccessMiddleware",  # first: what stands before it answers everybody
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        ...,
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "cfaccess_mw.contrib.django.middleware.AccessUserMiddleware",  # for request.user
    ]
    AUTHENTICATION_BACKENDS = ["cfaccess_mw.contrib.django.backends.AccessBackend"]

    CFACCESS = {"team": "acme", "audience": "4714c1358e65fe4b408ad6d432a5f878f081…"}

``CFACCESS`` has the names of :class:`~cfaccess_mw.AccessConfig`; where ``team`` is not among them, the environment says
what it leaves out. ``CFACCESS_USERS`` says who is which Django user, see :mod:`cfaccess_mw.contrib.django.conf`.
``manage.py check`` finds what does not fit together, and ``manage.py cfaccess`` shows what is in force.

``request.access`` is the :class:`~cfaccess_mw.Identity`, or None on paths that let everybody in. It comes from the
verified assertion and from nothing else; Django's ``RemoteUserMiddleware`` reads a header of the client's on ASGI
servers, and has no place here.

Cloudflare ends TLS: where the server behind it sees plain http, Django needs ``CSRF_TRUSTED_ORIGINS`` with the public
address, or ``SECURE_PROXY_SSL_HEADER``, for every form, those of the admin included.

What does not run through Django's middleware is not protected by it: WebSockets (Channels), ``runserver``'s own static
files, an application beside Django's. Wrap the whole in the door of :mod:`cfaccess_mw.asgi` or
:mod:`cfaccess_mw.wsgi`; both may be there, the second finds what the first let through.
"""

from cfaccess_mw.extras import needs

with needs("django"):
    import django  # noqa: F401 - whoever lacks it is told here
