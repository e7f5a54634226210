"""Getting, holding, moving and giving back seats."""
