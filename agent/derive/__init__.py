"""Derived series: rain sums, level, rate, flow, wind, dew point; declared in the configuration, computed once, kept where
a restart must not lose them.

Every kind is pure (`model.Derived`): readings and moments in, readings out. `deriver` feeds them and keeps their state.
"""
