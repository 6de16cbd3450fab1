"""What is derived from a resource, one module per product; never written twice by hand."""
