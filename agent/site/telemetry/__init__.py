"""From drivers to the spool: who is asked when, one frozen process image per cycle, quality on every value."""
