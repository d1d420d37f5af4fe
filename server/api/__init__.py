"""The API's resources: each module holds the endpoints of one, as a table that ends in its handlers."""
