"""The first page: what runs now, where to begin, and the pages that say what Essaim is."""
