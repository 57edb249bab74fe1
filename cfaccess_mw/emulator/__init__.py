"""Cloudflare Access on a laptop: the keys, the tokens, and an edge on loopback.

``issuer`` needs nothing but the package; ``server``, and what it is made of, needs the extra ``emulator``.
"""
