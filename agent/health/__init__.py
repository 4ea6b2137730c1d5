"""How the node itself is: its machine, its clock, and `bes doctor` for the person in front of it."""
