"""What every route needs of HTTP: errors, limits, pages of a list, uploads, downloads, the document of the API."""
