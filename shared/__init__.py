"""What agents and the controller agree on: words, units, errors, wire, keys, configuration, device profiles."""
