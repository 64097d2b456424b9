"""Settings that all tests share."""

import os

from hypothesis import settings

# Just-in-time compilation on a first call trips any deadline.
settings.register_profile("default", deadline=None, max_examples=25)
settings.register_profile("ci", deadline=None, max_examples=25, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")
