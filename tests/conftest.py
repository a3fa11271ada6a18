"""What holds for every test."""

from hypothesis import settings

# How long an example takes says something about the machine and nothing about what is tested.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
