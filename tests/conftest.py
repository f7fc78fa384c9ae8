"""What all tests share: hypothesis makes the same inputs each time, and a busy machine is no failure."""

from hypothesis import settings

settings.register_profile("kept", derandomize=True, deadline=None)
settings.load_profile("kept")
