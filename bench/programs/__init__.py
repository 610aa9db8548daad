"""The measured programs: each as a Hold module (``*.hold``) and as an equal Python twin (``*.py``).

A program of either kind has ``benchmark(inner)``, which does the work ``inner`` times and answers whether the result
verified.  The Hold module also has ``benchmark_root(inner)``: the same work with its data under ``root``.

The first twelve follow the are-we-fast-yet suite in algorithm, classes, methods, counts and verification, so that
the published Python side can stand in for the twins (``--awfy``).
"""
