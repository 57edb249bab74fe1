"""Django over its own handlers, WSGI and ASGI, with a database of its own."""
