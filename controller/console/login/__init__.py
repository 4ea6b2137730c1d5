"""Signing in: plain HTML without any script, outside NiceGUI, so that its content policy can be strict."""
