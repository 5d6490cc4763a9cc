"""The pages of this area, one file a noun."""
