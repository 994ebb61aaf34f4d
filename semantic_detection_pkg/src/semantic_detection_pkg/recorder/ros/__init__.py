"""Take messages for the recorder and publish a recording again."""
