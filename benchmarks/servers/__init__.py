"""What does protection cost under whole servers, with sockets, workers and a load generator?

``python -m benchmarks.servers`` prints it: a bare application, the same behind ``cfaccess_mw``, and behind what people
write with PyJWT, under uvicorn, granian and gunicorn. Every figure is the median of short rounds that were interleaved,
variant after variant and then again, so that a machine that is busy for a while is busy for all of them.

The absolute numbers are this machine's: the load generator takes one core, and the application has what is left.
"""
