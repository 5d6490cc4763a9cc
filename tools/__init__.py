"""What developers run and users never do: building, translations, reference pages, locks."""
