"""What all fields of the API's schema share: node ids, the rules of REST endpoints, loaders and connections."""
