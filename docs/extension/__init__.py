"""What Sphinx does not know of jaxcnn. `site` is the extension; the other files need no Sphinx."""
