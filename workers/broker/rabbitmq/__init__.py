"""The RabbitMQ adapter of the broker."""
