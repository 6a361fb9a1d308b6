"""The figures: each measured against what was asked and, where there is one, beside a peer in the same run.

A benchmark is a function in a module of this folder, registered with `benchmarks.report.measures`, which says beforehand
what it will measure. It prints what it likes and returns values; it judges nothing and asserts no time.
"""
