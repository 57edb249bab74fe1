"""Flask applications behind Access: flask-cfaccess's way, and whole applications."""
