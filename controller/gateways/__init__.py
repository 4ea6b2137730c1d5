"""Adapters to the world outside: the broker and price feeds; node and exchange gateways come with their systems."""
