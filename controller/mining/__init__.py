"""Mining operations and energy: what the fleet does, what it should do, and what a grid may ask of it. Pure code."""
