"""The pieces that pages are made of. Each is one element whatever it shows, because NiceGUI renders a page as a whole.

A part is given its first content as a property and listens for later ones under the name of its topic (`live.js`).
"""
