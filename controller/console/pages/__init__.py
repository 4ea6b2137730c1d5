"""One module a page: `build(page)` lays out parts and says which topics they follow."""
