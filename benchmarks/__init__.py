"""What does a check on every request cost? ``python -m benchmarks``; README.md says how it is measured."""
