"""The centre: stores what sites report, decides, orders, coordinates, and shows what is true."""
