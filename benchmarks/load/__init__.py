"""Does it hold for minutes, under everything at once?

``python -m benchmarks.load`` runs a protected application under uvicorn and then under gunicorn, lets users, services,
attackers, slow and impatient clients at it together, takes its certs endpoint away, rotates the keys, and checks
promises, each with a number. It ends with 1 when one is broken, and writes a report that anyone can make again.

Nothing is sent from another machine, and the load is made by Python beside the server: it is a test of what holds, not
of how much. How much is said by ``python -m benchmarks.servers``.
"""
