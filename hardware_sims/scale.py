"""What the vendors' units are of ours; written down here a second time, so that an error of the drivers cannot cancel
itself out.
"""

GHS_PER_THS = 1_000.0
MHS_PER_THS = 1_000_000.0
W_PER_KW = 1_000.0
WH_PER_KWH = 1_000.0
