"""A simulated mining site that speaks the real protocols and knows nothing of our drivers.

`physics` moves one machine through time, `grid` adds up what the tree really draws, `miners`, `meters` and `pdus` say
it in the vendors' words, `faults` break it on purpose, `control` lets a test do so and shows the truth.
"""
