"""What others rely on: the AsyncAPI document, the query API's description, the shape of the repository."""
