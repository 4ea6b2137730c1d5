"""Colours, type and the looks of the parts: plain CSS with own names, shared by the console and the sign-in pages."""
