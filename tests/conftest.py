"""What every test shares: Hypothesis without deadlines, for a loaded machine is no bug."""

from hypothesis import settings

settings.register_profile("fengsui", deadline=None)
settings.load_profile("fengsui")
