"""The header clock: height and median time past of a chain that the box verified itself."""
