"""The robot's one `config.yaml`: read, checked against its schema, made into launch arguments."""
