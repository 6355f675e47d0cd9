"""One file a dock, and the parts they are made of."""
