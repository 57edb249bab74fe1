"""What does a fleet do to the certs endpoint, and to Redis?

``python -m benchmarks.capacity`` answers by simulation: the machine that decides when keys are fetched
(``cfaccess_mw.core.freshness``, the very code that runs in a worker) is driven by a clock that jumps from event to
event, for thousands of workers at once, through a start, quiet hours, a rotation, a flood of made-up key ids, and an
outage. What Redis has to do is reckoned from what one worker asks of it.
"""
