"""Benchmarks of Holdfast: ``python -m bench``.  Every figure is a ratio taken within one run."""
