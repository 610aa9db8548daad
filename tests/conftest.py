"""Settings for all tests.

Property tests are deterministic: the same tree gives the same examples.  The seed is printed at the head of a run;
``--hypothesis-seed=N`` sets another one.  ``--hypothesis-profile=ci`` (as in ``make slow``) tries more examples.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

# No time limit for an example: the machine may be busy.  No data base: it would make a run depend on earlier ones.
settings.register_profile("default", max_examples=100, deadline=None, database=None, print_blob=True)
settings.register_profile(
    "ci", settings.get_profile("default"), max_examples=1000, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("default")


@pytest.hookimpl(tryfirst=True)  # before Hypothesis's own plugin reads the option
def pytest_configure(config: pytest.Config) -> None:
    """Fix the seed, unless the command line has one."""
    if config.option.hypothesis_seed is None:
        config.option.hypothesis_seed = "0"


def pytest_report_header(config: pytest.Config) -> str:
    """Tell how to run the same examples again."""
    return f"property tests: --hypothesis-seed={config.option.hypothesis_seed}"
