"""``python -m cfaccess_mw`` is the command ``cfaccess``."""

from cfaccess_mw.cli import main

main()
