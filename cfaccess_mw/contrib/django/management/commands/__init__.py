"""Which commands does ``manage.py`` gain? One module each."""
