"""What a site does by itself while nobody talks to it: the last signed plan, then a safe fallback. Pure."""
