"""The figures that were promised, one question a file; each has ``run``, which gives sections."""
