"""The page on port 8080: see, steer, measure."""
